"""Encryption of personal data in rows, and the keyed hashes that find these rows."""

from notify.store.sealing.row_cipher import RowCipher, cipher_of

__all__ = ["RowCipher", "cipher_of"]
