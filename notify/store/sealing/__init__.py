"""Encryption of personal data in rows, and the keyed hash that finds them again."""

from notify.store.sealing.vault import vault_of

__all__ = ["vault_of"]
