"""What is personal in a row: sealed before it is written, and opened when it is read."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine

from notify.contract import as_one, reading
from notify.errors import Sealed
from notify.keyring import CLEAR, Keyring
from notify.message import Notification

OPTION = "notify_vault"
"""The execution option by which statements know the vault of their store."""

HAS_METADATA = b"\1"
"""What a sealed body begins with if there is metadata in it: events need not open the others."""

METADATA_KEY = b'"metadata"'
"""What a body holds that has metadata."""

_HASHED = 16
_RECIPIENT = "recipient"


@dataclass(frozen=True, slots=True)
class SealedFields:
    """What a row keeps of a notification's personal data."""

    key_id: str | None
    recipient: str
    recipient_hash: bytes
    digest: bytes
    body: bytes


class RowCipher:
    """Seals and opens with one keyring; each value opens in its own row and column only."""

    def __init__(self, keyring: Keyring) -> None:
        self.keyring = keyring

    def of_notification(self, asked: Notification) -> SealedFields:
        """Make what the row of a notification keeps."""
        digest = asked.digest if self.keyring.current is None else self.digest(asked.digest)
        return self.of_parts(asked.id, to=asked.to, body=asked.body, digest=digest)

    def of_parts(self, row: UUID, *, to: str, body: bytes, digest: bytes) -> SealedFields:
        """Make what a row keeps; the digest is as it is kept already."""
        ring = self.keyring
        found_by = ring.hashed(_RECIPIENT, as_one(to).encode())[:_HASHED]
        if ring.current is None:
            return SealedFields(None, to, found_by, digest, body)
        mark = HAS_METADATA if METADATA_KEY in body else b"\0"
        return SealedFields(
            ring.current,
            base64.b64encode(ring.seal(to.encode(), about=b"recipient" + row.bytes)).decode(),
            found_by,
            digest,
            ring.seal(body, about=b"body" + row.bytes, mark=mark),
        )

    def recipient(self, row: UUID, key_id: str | None, kept: str) -> str:
        """
        Read a recipient.

        Raises:
            Sealed: The keyring does not open it.
        """
        if key_id is None:
            return kept
        sealed = base64.b64decode(kept)
        return self.keyring.unseal(sealed, key=key_id, about=b"recipient" + row.bytes).decode()

    def body(self, row: UUID, key_id: str | None, kept: bytes) -> bytes:
        """
        Read the body of a notification.

        Raises:
            Sealed: The keyring does not open it.
        """
        if key_id is None:
            return kept
        return self.keyring.unseal(kept, key=key_id, about=b"body" + row.bytes)

    def hashes(self, recipient: str) -> list[bytes]:
        """Give all hashes that find rows of a recipient: with this keyring, and without."""
        text = as_one(reading(recipient)).encode()
        rings = (self.keyring, CLEAR) if self.keyring.current else (CLEAR,)
        return [ring.hashed(_RECIPIENT, text)[:_HASHED] for ring in rings]

    def is_same(self, key_id: str | None, kept: bytes, digest: bytes) -> bool:
        """
        Tell whether a row's digest is that of a request.

        Raises:
            Sealed: There is no keyring to tell by.
        """
        if key_id is None:
            return kept == digest
        if self.keyring.current is None:
            raise Sealed(f"it is sealed with the key {key_id}, and there is no keyring", key=key_id)
        return kept == self.digest(digest)

    def digest(self, plain: bytes) -> bytes:
        """Make of a request's digest what a sealed row keeps of it."""
        # The plain one would tell whoever guesses a phone number and a template's name.
        return self.keyring.hashed("request", plain)

    def fingerprint(self, plain: bytes) -> bytes:
        """Make of a dead letter's fingerprint one by which its content cannot be guessed."""
        return plain if self.keyring.current is None else self.keyring.hashed("letter", plain)

    def told(self, content: bytes) -> str:
        """Tell content from any other in words that the audit may keep, in hexadecimal."""
        plain = hashlib.sha256(content).digest()
        return self.fingerprint(plain).hex()

    def of_letter(self, letter: bytes, parts: Mapping[str, Any]) -> dict[str, Any]:
        """
        Make what the row of a dead letter keeps, all parts with one key.

        Args:
            letter: The fingerprint that the row has.
            parts: Bytes, JSON or None, by column.
        """
        ring = self.keyring
        if ring.current is None:
            return {**parts, "key_id": None}
        sealed = {name: self._part(letter, name, part) for name, part in parts.items()}
        return {**sealed, "key_id": ring.current}

    def _part(self, letter: bytes, name: str, part: Any) -> Any:
        if part is None:
            return None
        about = f"letter {name}".encode() + letter
        if isinstance(part, bytes):
            return self.keyring.seal(part, about=about)
        sealed = self.keyring.seal(json.dumps(part).encode(), about=about)
        return {"sealed": base64.b64encode(sealed).decode()}

    def letter_part(self, letter: bytes, key_id: str | None, name: str, kept: Any) -> Any:
        """
        Read one part of a dead letter.

        Raises:
            Sealed: The keyring does not open it.
        """
        if key_id is None or kept is None:
            return kept
        about = f"letter {name}".encode() + letter
        if isinstance(kept, bytes):
            return self.keyring.unseal(kept, key=key_id, about=about)
        sealed = base64.b64decode(kept["sealed"])
        return json.loads(self.keyring.unseal(sealed, key=key_id, about=about))


def cipher_of(connection: Connection | Engine) -> RowCipher:
    """Give the vault of the store that a connection belongs to."""
    vault = connection.get_execution_options().get(OPTION)
    return vault if isinstance(vault, RowCipher) else RowCipher(CLEAR)


def spellings(recipient: str) -> Sequence[str]:
    """Give the ways in which a recipient may stand in a text in clear."""
    kept = reading(recipient)
    return list(dict.fromkeys((kept, as_one(kept))))
