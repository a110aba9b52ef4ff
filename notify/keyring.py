"""
The keyring: the keys that seal personal data in the record, and that make the hashes to find it.

A keyring is text, one key a line, `id:base64`. The first key seals and all of them open, so that
keys can be changed without a stop. The key named `hash` makes the hashes, and never changes.

Each value is sealed by AES-256-GCM under a key of its own: HMAC-SHA256 of the keyring's key over
16 random bytes. With the key itself and random nonces, a record of 1,000 messages a second would
exceed within a month what one key may seal (NIST SP 800-38D, 8.3).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
from collections.abc import Mapping

from notify.errors import ConfigError, Sealed

NAME = "NOTIFY_KEYRING"
"""The name of its credential, or of its environment variable."""
HASH = "hash"
"""The name of the key that makes hashes."""
SIZE = 32
"""Bytes of a key."""

_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,30}")
_SALT = 16
# No key seals twice, so one nonce is enough.
_NONCE = bytes(12)
_EXAMPLE = "`notify keyring new` creates one"


class Keyring:
    """
    Seals and opens values, and makes hashes. Thread-safe.

    Without keys nothing can be sealed or opened, and hashes are plain SHA-256.

    Attributes:
        current: The name of the key that seals; None without keys.
    """

    def __init__(self, keys: Mapping[str, bytes], *, hash_key: bytes | None = None) -> None:
        """Create a keyring; the first key seals, and *hash_key* makes hashes."""
        self._keys = dict(keys)
        self._hash_key = hash_key
        self.current = next(iter(self._keys), None)

    @classmethod
    def parse(cls, text: str) -> Keyring:
        """
        Parse a keyring; keys are separated by white space or commas.

        Raises:
            ConfigError: It is malformed; the text names the line, and no key.
        """
        keys: dict[str, bytes] = {}
        for number, line in enumerate(re.split(r"[\s,]+", text.strip()), 1):
            name, key = _key(line, number)
            if name in keys:
                raise ConfigError(f"{NAME}: two keys are named {name}")
            keys[name] = key
        hash_key = keys.pop(HASH, None)
        if hash_key is None or not keys:
            lacks = f"a key named {HASH}" if hash_key is None else f"a key besides {HASH}"
            raise ConfigError(f"{NAME}: it lacks {lacks}; {_EXAMPLE}")
        if len({hash_key, *keys.values()}) <= len(keys):
            raise ConfigError(f"{NAME}: it has one key under two names")
        return cls(keys, hash_key=hash_key)

    def __repr__(self) -> str:
        """Return the names of the keys, without the keys."""
        return f"Keyring({', '.join(self._keys)})"

    @property
    def names(self) -> list[str]:
        """The names of the keys that seal and open, in their order."""
        return list(self._keys)

    def seal(self, value: bytes, *, about: bytes, mark: bytes = b"\0") -> bytes:
        """
        Seal a value with the current key.

        Args:
            about: The context of the value; it opens only with the same one.
            mark: One byte in front of the result, in clear and protected against change.
        """
        # Only here: cryptography costs a worker without a keyring 8 MB of memory.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        assert self.current is not None  # noqa: S101 - the caller has checked
        salt = os.urandom(_SALT)
        cipher = AESGCM(hmac.digest(self._keys[self.current], salt, "sha256"))
        return mark + salt + cipher.encrypt(_NONCE, value, mark + about)

    def unseal(self, sealed: bytes, *, key: str, about: bytes) -> bytes:
        """
        Return a value that was sealed with the named key.

        Raises:
            Sealed: The keyring has no such key, or another one under its name; or it is damaged.
        """
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if key not in self._keys:
            raise Sealed(f"it is sealed with the key {key}, which the keyring lacks", key=key)
        mark, salt, rest = sealed[:1], sealed[1 : 1 + _SALT], sealed[1 + _SALT :]
        cipher = AESGCM(hmac.digest(self._keys[key], salt, "sha256"))
        try:
            return cipher.decrypt(_NONCE, rest, mark + about)
        except InvalidTag:
            text = f"the keyring's key {key} does not open it: it is another key, or it is damaged"
            raise Sealed(text, key=key) from None

    def hashed(self, kind: str, value: bytes) -> bytes:
        """Return 32 bytes for a value; only with the key can guesses be verified."""
        text = kind.encode() + b"\0" + value
        if self._hash_key is None:
            return hashlib.sha256(text).digest()
        return hmac.digest(self._hash_key, text, "sha256")

    def proofs(self) -> dict[str, bytes]:
        """Return a proof for each key, the hash key included; no two keys have the same."""
        keys = self._keys | ({HASH: self._hash_key} if self._hash_key else {})
        return {name: hmac.digest(key, b"proof", "sha256") for name, key in keys.items()}


CLEAR = Keyring({})
"""The keyring without keys: everything is recorded in clear."""


def new_key() -> str:
    """Return a new key in the form of a keyring."""
    return base64.b64encode(os.urandom(SIZE)).decode()


def _key(line: str, number: int) -> tuple[str, bytes]:
    name, _, key = line.partition(":")
    if not _ID.fullmatch(name):
        raise ConfigError(f"{NAME}: line {number} is not id:key; {_EXAMPLE}")
    try:
        decoded = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        decoded = b""
    if len(decoded) != SIZE:
        raise ConfigError(f"{NAME}: the key {name} is not {SIZE} bytes in base64; {_EXAMPLE}")
    return name, decoded
