"""Tokens that stand for a recipient in a URL, where the recipient itself may not be."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

from notify.contract import normal_form
from notify.errors import NotifyError
from notify.keyring import Keyring
from notify.store.sealing import RowCipher

_SIZE = 16
_KIND = "recipient in a URL"
_MARK = "~"


class UnknownToken(NotifyError):
    """A token is not of this process, or was changed."""


class RecipientTokens:
    """
    Makes tokens from recipients, and returns the hashes that find their rows.

    A token holds the hashes, encrypted: without the key a hash confirms a guess, and phone numbers
    can be guessed in seconds. The key comes from the keyring; without one it is *fallback*, and
    tokens end with the process.
    """

    def __init__(self, keyring: Keyring, *, fallback: bytes) -> None:
        self._cipher = RowCipher(keyring)
        key = keyring.hashed(_KIND, b"") if keyring.current else fallback
        self._key = hashlib.sha256(_KIND.encode() + key).digest()

    def token(self, recipient: str) -> str:
        """Return the token of a recipient in any spelling; the same one each time."""
        hashes = b"".join(self._cipher.hashes(normal_form(recipient)))
        tag = self._tag(hashes)
        raw = tag + self._mask(tag, hashes)
        return _MARK + base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    def hashes(self, token: str) -> Sequence[bytes]:
        """
        Return the hashes that a token holds.

        Raises:
            UnknownToken: It is not one of these.
        """
        text = token.removeprefix(_MARK) if is_token(token) else ""
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        tag, masked = raw[:_SIZE], raw[_SIZE:]
        hashes = self._mask(tag, masked)
        if not hashes or not hmac.compare_digest(self._tag(hashes), tag):
            raise UnknownToken(
                "this link to a recipient is from before a restart, or incomplete: search again"
            )
        return [hashes[at : at + _SIZE] for at in range(0, len(hashes), _SIZE)]

    def _tag(self, hashes: bytes) -> bytes:
        return hmac.digest(self._key, b"tag" + hashes, "sha256")[:_SIZE]

    def _mask(self, tag: bytes, value: bytes) -> bytes:
        """Encrypt or decrypt at most 32 bytes; the tag, which depends on them, is the nonce."""
        stream = hmac.digest(self._key, b"mask" + tag, "sha256")
        return bytes(left ^ right for left, right in zip(value[:32], stream, strict=False))


def is_token(value: str) -> bool:
    """Return whether a value is a token by its form, and not a recipient."""
    return value.startswith(_MARK)
