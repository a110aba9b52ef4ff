"""Keyrings to test the record with."""

from __future__ import annotations

from notify.keyring import Keyring

KEYRING = Keyring({"k1": b"1" * 32}, hash_key=b"h" * 32)
NEWER = Keyring({"k2": b"2" * 32, "k1": b"1" * 32}, hash_key=b"h" * 32)
"""The keyring after a key change."""
