"""
The return path of each call (VERP): mail that comes back proves which call it is about.

A token is the call's id, a proof that we made it, and a proof of its recipient. Anyone can write to
a return path, so a report without a valid proof counts for nothing, and one suppresses no other
address than that of its own call.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from notify.errors import ConfigError

TOKEN = re.compile(rb"(?i)(?<![0-9a-z])[0-9a-f]{32}[a-z2-7]{18}(?![0-9a-z])")
LONGEST_PREFIX = 13
"""Characters of a return path before its plus sign: 64 are the most before an @ (RFC 5321)."""
SHORTEST_KEY = 32
_KEY = re.compile(rf"[!-+\--~]{{{SHORTEST_KEY},}}")
_CALL, _RECIPIENT = 6, 5
"""Bytes of the two proofs."""
_PADDING = "======"


class BounceKey:
    """
    Makes and checks tokens with one key.

    Args:
        text: The key, at least 32 characters without spaces and commas.

    Raises:
        ConfigError: It is too short, or has a space or comma.
    """

    def __init__(self, text: str) -> None:
        if not _KEY.fullmatch(text):
            raise ConfigError(
                f"smtp: a bounce key has at least {SHORTEST_KEY} random characters without spaces"
                " and commas, such as the output of `openssl rand -hex 32`"
            )
        self._key = hashlib.sha256(b"notify smtp return path\0" + text.encode()).digest()

    def token(self, attempt_id: UUID, to: str) -> str:
        """Return the token of a call: 50 lower-case letters and digits."""
        proofs = self._proof(attempt_id)[:_CALL] + self._proof(attempt_id, to)[:_RECIPIENT]
        return attempt_id.hex + base64.b32encode(proofs).decode().rstrip("=").lower()

    def read(self, token: str) -> Token | None:
        """Return what a token says; None if this key has not made it."""
        try:
            proofs = base64.b32decode(token[32:].upper() + _PADDING)
            attempt_id = UUID(token[:32])
        except ValueError:
            return None
        if not hmac.compare_digest(proofs[:_CALL], self._proof(attempt_id)[:_CALL]):
            return None
        return Token(attempt_id, proofs[_CALL:], self)

    def proves(self, token: Token, to: str) -> bool:
        """Whether a token is that of a call to a recipient."""
        proof = self._proof(token.attempt_id, to)[:_RECIPIENT]
        return hmac.compare_digest(token.recipient_proof, proof)

    def _proof(self, attempt_id: UUID, to: str = "") -> bytes:
        signed = attempt_id.bytes + to.lower().encode("utf-8", "replace")
        return hmac.digest(self._key, signed, "sha256")


@dataclass(frozen=True, slots=True)
class Token:
    """A valid token: its call, and the key that made it."""

    attempt_id: UUID
    recipient_proof: bytes
    key: BounceKey

    def proves(self, to: str) -> bool:
        """Whether the call was to this recipient."""
        return self.key.proves(self, to)


def find_token(raw: bytes, keys: Sequence[BounceKey], *, most: int = 100) -> Token | None:
    """Return the first valid token in the bytes of a message, among the first *most* candidates."""
    for count, found in enumerate(TOKEN.finditer(raw)):
        if count == most:
            return None
        text = found[0].decode("ascii").lower()
        for key in keys:
            if (token := key.read(text)) is not None:
                return token
    return None
