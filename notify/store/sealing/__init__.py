"""Encryption of personal data in rows, and the keyed hash that finds them again."""

from notify.store.sealing.vault import cipher_of

__all__ = ["cipher_of"]
