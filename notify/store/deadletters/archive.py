"""The archive of dead letters: kept as they came, settled by operators."""

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
from sqlalchemy.dialects import postgresql, sqlite

from notify.message import Channel
from notify.store.sealing.row_cipher import RowCipher, cipher_of
from notify.store.tables import dead_letters

LONGEST_REASON = 1000
"""Characters of a letter's reason, the fixes included."""


class Cause(enum.StrEnum):
    """Why a message died, in one word."""

    CONTRACT = "contract"
    """It does not keep the contract."""
    CONFLICT = "conflict"
    """Its key or id stands for another request."""
    EXPIRED = "expired"
    FAILED = "failed"
    REJECTED = "rejected"
    UNROUTABLE = "unroutable"
    """No queue was bound for its key."""
    DELIVERY_LIMIT = "delivery_limit"
    """The broker gave it out again and again, and nobody settled it."""
    MAXLEN = "maxlen"
    """Its queue was full."""
    BROKER_EXPIRED = "broker_expired"
    """It lay in its queue for longer than a policy on the broker allows."""
    OTHER = "other"


class LetterState(enum.StrEnum):
    """What operators have done with a dead letter."""

    WAITING = "waiting"
    REPLAYED = "replayed"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One message out of the dead queue; what cannot be read of it is None."""

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
    """What its source is told by an event, once."""


@dataclass(frozen=True, slots=True)
class Edit:
    """What an operator made of one letter."""

    letter_id: int
    body: bytes
    key: str
    """The routing key."""


@dataclass(frozen=True, slots=True)
class ArchivedLetter:
    """What one kept letter holds."""

    id: int
    archived_at: datetime
    state_at: datetime
    routing_key: str
    properties: Mapping[str, Any]
    body: bytes
    mended_body: bytes | None
    """What an operator made of the body."""
    mended_key: str | None

    @property
    def mending(self) -> Edit | None:
        """The two together; None where it was never mended."""
        if self.mended_body is None or self.mended_key is None:
            return None
        return Edit(self.id, self.mended_body, self.mended_key)


def archive_letters(connection: Connection, letters: Sequence[Letter], *, now: datetime) -> None:
    """
    Archive letters; one that is there already is not kept twice.

    Had an operator settled that one before, it waits again: the message may well have died anew,
    and what a replay would do is decided by the record, not by this state.
    """
    if not letters:
        return
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(dead_letters)
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
    vault = cipher_of(connection)
    # In one order always, so that two archives wait for each other and not in a circle.
    rows = sorted((_row(letter, vault) for letter in letters), key=lambda row: row["fingerprint"])
    connection.execute(statement, [row | state for row in rows])


def _row(letter: Letter, vault: RowCipher) -> dict[str, Any]:
    fingerprint = vault.fingerprint(letter.fingerprint)
    parts = {"properties": letter.properties, "body": letter.body}
    return {
        **asdict(letter),
        "fingerprint": fingerprint,
        **vault.of_letter(fingerprint, parts),
    }


def read_waiting(
    connection: Connection, ids: Collection[int], *, lock: bool = False
) -> list[ArchivedLetter]:
    """
    Read what those letters hold that wait, oldest first.

    Args:
        lock: Keep others from changing them until the transaction ends.
    """
    columns = dead_letters.c
    query = select(*_WHOLE).where(columns.id.in_(ids), columns.state == LetterState.WAITING)
    query = query.order_by(columns.id)
    if lock:
        query = query.with_for_update()
    vault = cipher_of(connection)
    return [_kept(row, vault) for row in connection.execute(query)]


def read_letter(connection: Connection, letter_id: int) -> ArchivedLetter | None:
    """Read what one letter holds, in whatever state; None if there is none with this id."""
    query = select(*_WHOLE).where(dead_letters.c.id == letter_id)
    row = connection.execute(query).one_or_none()
    return _kept(row, cipher_of(connection)) if row is not None else None


def discard_letters(connection: Connection, ids: Collection[int], *, now: datetime) -> list[int]:
    """Mark letters that wait as of no more interest; give which they were. Nothing is deleted."""
    statement = (
        update(dead_letters)
        .where(dead_letters.c.id.in_(ids), dead_letters.c.state == LetterState.WAITING)
        .values(state=LetterState.DISCARDED, state_at=now)
        .returning(dead_letters.c.id)
    )
    return sorted(connection.execute(statement).scalars())


def open_parts(vault: RowCipher, row: Row[Any]) -> dict[str, Any]:
    """
    Read the parts of a letter that may be sealed, by column; the row has all of `PARTS`.

    Raises:
        Sealed: The keyring does not open them.
    """
    names = ("properties", "body", "mended_body")
    values = row._mapping
    return {
        name: vault.letter_part(row.fingerprint, row.key_id, name, values[name]) for name in names
    }


def _kept(row: Row[Any], vault: RowCipher) -> ArchivedLetter:
    values = row._asdict() | open_parts(vault, row)
    del values["fingerprint"], values["key_id"]
    return ArchivedLetter(**values)


_NAMES = ("id", "fingerprint", "key_id", "properties", "body", "mended_body")
PARTS = [dead_letters.c[name] for name in _NAMES]
"""What has to be read of a letter for `open_parts`."""
_WHOLE = [
    *PARTS,
    *(dead_letters.c[name] for name in ArchivedLetter.__dataclass_fields__ if name not in _NAMES),
]
