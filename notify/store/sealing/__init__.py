"""Encryption of personal data in rows, and the keyed hash that finds them again."""

from notify.store.sealing.row_cipher import cipher_of

__all__ = ["cipher_of"]
