"""The archive of dead letters: written as they came, settled by operators."""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Connection,
    Row,
    case,
    select,
    update,
)

from notify.message import Channel
from notify.store.db import upsert
from notify.store.sealing.row_cipher import RowCipher, cipher_of
from notify.store.tables import dead_letters

LONGEST_REASON = 1000
"""Characters of a letter's reason, the fixes included."""


class Cause(enum.StrEnum):
    """Why a message died, in one word."""

    CONTRACT = "contract"
    """It breaks the contract."""
    CONFLICT = "conflict"
    """Another request has its key or id."""
    EXPIRED = "expired"
    FAILED = "failed"
    REJECTED = "rejected"
    UNROUTABLE = "unroutable"
    """No queue was bound for its key."""
    DELIVERY_LIMIT = "delivery_limit"
    """It exceeded the queue's delivery limit."""
    MAXLEN = "maxlen"
    """Its queue was full."""
    BROKER_EXPIRED = "broker_expired"
    """It waited in its queue for longer than a policy on the broker allows."""
    OTHER = "other"


class LetterState(enum.StrEnum):
    """Whether an operator has settled a dead letter, and how."""

    WAITING = "waiting"
    REPLAYED = "replayed"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One message from the dead queue; None in a field that cannot be decoded."""

    fingerprint: bytes
    died_at: datetime | None
    message_id: str | None
    notification_id: UUID | None
    """The notification, or the batch, that it asks for."""
    channel: Channel | None
    lane: str | None
    source: str | None
    template: str | None
    cause: Cause
    reason: str | None
    code: str | None
    exchange: str
    routing_key: str
    queue: str | None
    delivery_count: int | None
    properties: Mapping[str, Any]
    body: bytes
    refused_event: Mapping[str, Any] | None = None
    """The event for its source; published once."""


@dataclass(frozen=True, slots=True)
class Edit:
    """An operator's new body and routing key for one letter."""

    letter_id: int
    body: bytes
    key: str
    """The routing key."""


@dataclass(frozen=True, slots=True)
class ArchivedLetter:
    """The content of one archived letter."""

    id: int
    archived_at: datetime
    state_at: datetime
    exchange: str
    routing_key: str
    properties: Mapping[str, Any]
    body: bytes
    mended_body: bytes | None
    """The body as an operator edited it."""
    mended_key: str | None

    @property
    def edit(self) -> Edit | None:
        """The edited body and key; None if it was never edited."""
        if self.mended_body is None or self.mended_key is None:
            return None
        return Edit(self.id, self.mended_body, self.mended_key)


def archive_letters(connection: Connection, letters: Sequence[Letter], *, now: datetime) -> None:
    """
    Archive letters; a message that is archived already gets no second row.

    If an operator has settled that row, it waits again: the message may have died again. The record
    decides what a replay would do, not this state.
    """
    if not letters:
        return
    statement = upsert.insert(dead_letters, connection)
    columns = dead_letters.c
    settled = columns.state != LetterState.WAITING
    statement = statement.on_conflict_do_update(
        index_elements=[columns.fingerprint],
        set_={
            "state": LetterState.WAITING,
            "state_at": case((settled, now), else_=columns.state_at),
        },
    )
    state = {"archived_at": now, "state": LetterState.WAITING, "state_at": now}
    cipher = cipher_of(connection)
    # Always in one order, so that two archives do not deadlock.
    rows = sorted((_row(letter, cipher) for letter in letters), key=lambda row: row["fingerprint"])
    connection.execute(statement, [row | state for row in rows])


def _row(letter: Letter, cipher: RowCipher) -> dict[str, Any]:
    fingerprint = cipher.fingerprint(letter.fingerprint)
    parts = {"properties": letter.properties, "body": letter.body}
    return {
        **asdict(letter),
        "fingerprint": fingerprint,
        **cipher.seal_letter(fingerprint, parts),
    }


def read_waiting(
    connection: Connection, ids: Collection[int], *, lock: bool = False
) -> list[ArchivedLetter]:
    """
    Return those of the letters that are waiting, oldest first.

    Args:
        lock: Lock the rows until the transaction ends.
    """
    columns = dead_letters.c
    query = select(*_WHOLE).where(columns.id.in_(ids), columns.state == LetterState.WAITING)
    query = query.order_by(columns.id)
    if lock:
        query = query.with_for_update()
    cipher = cipher_of(connection)
    return [_archived(row, cipher) for row in connection.execute(query)]


def read_letter(connection: Connection, letter_id: int) -> ArchivedLetter | None:
    """Return one letter in any state; None if there is none with this id."""
    query = select(*_WHOLE).where(dead_letters.c.id == letter_id)
    row = connection.execute(query).one_or_none()
    return _archived(row, cipher_of(connection)) if row is not None else None


def discard_letters(connection: Connection, ids: Collection[int], *, now: datetime) -> list[int]:
    """Mark waiting letters as discarded, and return their ids. Nothing is deleted."""
    statement = (
        update(dead_letters)
        .where(dead_letters.c.id.in_(ids), dead_letters.c.state == LetterState.WAITING)
        .values(state=LetterState.DISCARDED, state_at=now)
        .returning(dead_letters.c.id)
    )
    return sorted(connection.execute(statement).scalars())


def open_parts(cipher: RowCipher, row: Row[Any]) -> dict[str, Any]:
    """
    Return the parts of a letter that may be sealed, by column; the row has all of `PARTS`.

    Raises:
        Sealed: The keyring cannot open them.
    """
    names = ("properties", "body", "mended_body")
    values = row._mapping
    return {
        name: cipher.open_letter_part(row.fingerprint, row.key_id, name, values[name])
        for name in names
    }


def _archived(row: Row[Any], cipher: RowCipher) -> ArchivedLetter:
    values = row._asdict() | open_parts(cipher, row)
    del values["fingerprint"], values["key_id"]
    return ArchivedLetter(**values)


_NAMES = ("id", "fingerprint", "key_id", "properties", "body", "mended_body")
PARTS = [dead_letters.c[name] for name in _NAMES]
"""The columns that `open_parts` needs."""
_WHOLE = [
    *PARTS,
    *(dead_letters.c[name] for name in ArchivedLetter.__dataclass_fields__ if name not in _NAMES),
]
