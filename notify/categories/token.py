"""
The token in an unsubscribe link: who unsubscribes from what, readable by this service only.

Its bytes are a version, then an AES-SIV ciphertext (RFC 5297) of the recipient's hash, the channel,
the source and the category. Its key comes from the keyring's key `hash`, which never changes: a
token outlives every change of the keys that seal, and is valid as long as the hash in it means the
recipient. The same recipient and category always have the same token, so that a message that is
rendered again is the same message.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from notify.keyring import Keyring
from notify.message import Channel

HASH_SIZE = 16
"""Bytes of a recipient's hash, as the record has it."""
LONGEST_TOKEN = 300
"""Characters; a longer text is not a token."""

_VERSION = b"\1"
_SEPARATOR = "/"


@dataclass(frozen=True, slots=True)
class OptOut:
    """
    A recipient's wish to have no more messages of one category from one source.

    Attributes:
        recipient_hash: The recipient, as the record hashes it.
    """

    channel: Channel
    source: str
    category: str
    recipient_hash: bytes


class UnsubscribeTokens:
    """
    Writes and reads tokens. Thread-safe.

    Args:
        keyring: One with keys.
    """

    def __init__(self, keyring: Keyring) -> None:
        # Only here: cryptography costs a worker without a keyring 8 MB of memory.
        from cryptography.hazmat.primitives.ciphers.aead import AESSIV

        assert keyring.current is not None  # noqa: S101 - the caller has checked
        # AES-256-SIV needs 64 bytes: one half authenticates, the other encrypts.
        halves = (keyring.hashed("unsubscribe", half) for half in (b"authenticate", b"encrypt"))
        self._cipher = AESSIV(b"".join(halves))

    def write(self, opt_out: OptOut) -> str:
        """Return the token of an opt-out: about 90 characters, safe in a URL."""
        names = _SEPARATOR.join((opt_out.channel, opt_out.source, opt_out.category))
        sealed = self._cipher.encrypt(opt_out.recipient_hash + names.encode(), [_VERSION])
        return _encoded(_VERSION + sealed)

    def read(self, token: str) -> OptOut | None:
        """Return the opt-out of a token; None if this service did not write it."""
        from cryptography.exceptions import InvalidTag

        sealed = _decoded(token)
        if sealed is None or sealed[:1] != _VERSION:
            return None
        try:
            plain = self._cipher.decrypt(sealed[1:], [_VERSION])
        except (InvalidTag, ValueError):
            return None
        recipient_hash, names = plain[:HASH_SIZE], plain[HASH_SIZE:].decode()
        channel, source, category = names.split(_SEPARATOR)
        return OptOut(Channel(channel), source, category, recipient_hash)


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _decoded(text: str) -> bytes | None:
    """Return the bytes of a text; None unless it is exactly what `_encoded` writes."""
    if len(text) > LONGEST_TOKEN or not text.isascii():
        return None
    try:
        value = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    # Some bits of the last character mean nothing: a token has one spelling only.
    return value if _encoded(value) == text else None
