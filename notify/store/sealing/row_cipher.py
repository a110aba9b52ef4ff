"""Personal data in rows: sealed before it is written, opened when it is read."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine

from notify.contract import case_folded, normal_form
from notify.errors import Sealed
from notify.keyring import CLEAR, Keyring
from notify.message import Notification

OPTION = "notify_cipher"
"""The execution option that carries the cipher of a store."""

HAS_METADATA = b"\1"
"""First byte of a sealed body that contains metadata; events open no other bodies."""

METADATA_KEY = b'"metadata"'
"""Bytes in every body that contains metadata."""

_HASHED = 16
_RECIPIENT = "recipient"


@dataclass(frozen=True, slots=True)
class SealedFields:
    """The columns of a row that hold a notification's personal data."""

    key_id: str | None
    recipient: str
    recipient_hash: bytes
    digest: bytes
    body: bytes


class RowCipher:
    """Seals and opens with one keyring; each value opens in its own row and column only."""

    def __init__(self, keyring: Keyring) -> None:
        self.keyring = keyring

    def seal_notification(self, asked: Notification) -> SealedFields:
        """Return the columns for a notification's personal data."""
        digest = asked.digest if self.keyring.current is None else self.digest(asked.digest)
        return self.seal_parts(asked.id, to=asked.to, body=asked.body, digest=digest)

    def seal_parts(self, row: UUID, *, to: str, body: bytes, digest: bytes) -> SealedFields:
        """Return the columns for a row; *digest* is stored as it is."""
        ring = self.keyring
        found_by = ring.hashed(_RECIPIENT, case_folded(to).encode())[:_HASHED]
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

    def open_recipient(self, row: UUID, key_id: str | None, stored: str) -> str:
        """
        Return a recipient in clear.

        Raises:
            Sealed: The keyring cannot open it.
        """
        if key_id is None:
            return stored
        sealed = base64.b64decode(stored)
        return self.keyring.unseal(sealed, key=key_id, about=b"recipient" + row.bytes).decode()

    def open_body(self, row: UUID, key_id: str | None, stored: bytes) -> bytes:
        """
        Return the body of a notification in clear.

        Raises:
            Sealed: The keyring cannot open it.
        """
        if key_id is None:
            return stored
        return self.keyring.unseal(stored, key=key_id, about=b"body" + row.bytes)

    def seal_shared(self, id_: UUID, content: bytes) -> tuple[str | None, bytes]:
        """Return the key and the content of a batch's shared part; None for one in clear."""
        key = self.keyring.current
        if key is None:
            return None, content
        return key, self.keyring.seal(content, about=b"shared" + id_.bytes)

    def open_shared(self, id_: UUID, key_id: str | None, stored: bytes) -> bytes:
        """
        Return a batch's shared part in clear.

        Raises:
            Sealed: The keyring cannot open it.
        """
        if key_id is None:
            return stored
        return self.keyring.unseal(stored, key=key_id, about=b"shared" + id_.bytes)

    def seal_receipts(self, context: UUID, body: bytes) -> tuple[str | None, bytes]:
        """Return the key and the body of a stored message of receipts; None for one in clear."""
        key = self.keyring.current
        if key is None:
            return None, body
        return key, self.keyring.seal(body, about=b"receipts" + context.bytes)

    def open_receipts(self, context: UUID, key_id: str | None, stored: bytes) -> bytes:
        """
        Return a stored message of receipts in clear.

        Raises:
            Sealed: The keyring cannot open it.
        """
        if key_id is None:
            return stored
        return self.keyring.unseal(stored, key=key_id, about=b"receipts" + context.bytes)

    def hashes(self, recipient: str) -> list[bytes]:
        """Return all hashes that rows of a recipient may have: with this keyring, and without."""
        text = case_folded(normal_form(recipient)).encode()
        rings = (self.keyring, CLEAR) if self.keyring.current else (CLEAR,)
        return [ring.hashed(_RECIPIENT, text)[:_HASHED] for ring in rings]

    def clear_hash(self, to: str) -> bytes | None:
        """Return the hash of a normal form without the keyring; None if no keyring is used."""
        if self.keyring.current is None:
            return None
        return CLEAR.hashed(_RECIPIENT, case_folded(to).encode())[:_HASHED]

    def is_same(self, key_id: str | None, stored: bytes, digest: bytes) -> bool:
        """
        Return whether a row's digest is that of a request.

        Raises:
            Sealed: The digest is sealed, and no keyring is configured.
        """
        if key_id is None:
            return stored == digest
        if self.keyring.current is None:
            raise Sealed(
                f"it is sealed with the key {key_id}, and no keyring is configured", key=key_id
            )
        return stored == self.digest(digest)

    def digest(self, plain: bytes) -> bytes:
        """Return a request's digest as a sealed row stores it."""
        # The plain digest would confirm a guess of phone number and template.
        return self.keyring.hashed("request", plain)

    def fingerprint(self, plain: bytes) -> bytes:
        """Return a dead letter's fingerprint in a form that confirms no guess of its content."""
        return plain if self.keyring.current is None else self.keyring.hashed("letter", plain)

    def content_digest(self, content: bytes) -> str:
        """Return a hexadecimal digest of content, in a form that the audit may store."""
        plain = hashlib.sha256(content).digest()
        return self.fingerprint(plain).hex()

    def seal_letter(self, letter: bytes, parts: Mapping[str, Any]) -> dict[str, Any]:
        """
        Return the columns of a dead letter, all sealed with one key.

        Args:
            letter: The row's fingerprint.
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

    def open_letter_part(self, letter: bytes, key_id: str | None, name: str, stored: Any) -> Any:
        """
        Return one part of a dead letter in clear.

        Raises:
            Sealed: The keyring cannot open it.
        """
        if key_id is None or stored is None:
            return stored
        about = f"letter {name}".encode() + letter
        if isinstance(stored, bytes):
            return self.keyring.unseal(stored, key=key_id, about=about)
        sealed = base64.b64decode(stored["sealed"])
        return json.loads(self.keyring.unseal(sealed, key=key_id, about=about))


def cipher_of(connection: Connection | Engine) -> RowCipher:
    """Return the cipher of the store that a connection belongs to."""
    cipher = connection.get_execution_options().get(OPTION)
    return cipher if isinstance(cipher, RowCipher) else RowCipher(CLEAR)


def spellings(recipient: str) -> Sequence[str]:
    """Return the spellings in which clear rows may hold a recipient."""
    text = normal_form(recipient)
    return list(dict.fromkeys((text, case_folded(text))))
