"""Finding dead letters again."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, LargeBinary, Row, func, literal, or_, select

from notify.message import Channel
from notify.store.dead import Cause, State
from notify.store.tables import dead_letters


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """One kept letter in a line."""

    id: int
    archived_at: datetime
    died_at: datetime | None
    message_id: str | None
    notification_id: UUID | None
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
    state: State
    state_at: datetime
    replay_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which dead letters to look at; None asks for all."""

    ids: Collection[int] | None = None
    notification_id: UUID | None = None
    """A notification's, or a batch's."""
    channel: Channel | None = None
    lane: str | None = None
    source: str | None = None
    template: str | None = None
    cause: Cause | None = None
    code: str | None = None
    state: State | None = None
    since: datetime | None = None
    """From when on it was archived."""
    until: datetime | None = None
    text: str | None = None
    """Stands in the reason, the key or the message id, or letter for letter in the body."""


def find(connection: Connection, wanted: Wanted, *, limit: int) -> list[DeadLetter]:
    """Read the newest dead letters that match, newest first."""
    query = (
        select(*_LETTER)
        .where(*_conditions(wanted, connection.dialect.name))
        .order_by(dead_letters.c.id.desc())
        .limit(limit)
    )
    return [_letter(row) for row in connection.execute(query)]


def find_ids(connection: Connection, wanted: Wanted, *, limit: int | None = None) -> list[int]:
    """Read the ids of the oldest dead letters that match, oldest first."""
    query = (
        select(dead_letters.c.id)
        .where(*_conditions(wanted, connection.dialect.name))
        .order_by(dead_letters.c.id)
        .limit(limit)
    )
    return list(connection.execute(query).scalars())


def count(connection: Connection, wanted: Wanted) -> dict[Cause, int]:
    """Count the dead letters that match, by cause."""
    query = (
        select(dead_letters.c.cause, func.count())
        .where(*_conditions(wanted, connection.dialect.name))
        .group_by(dead_letters.c.cause)
    )
    return {Cause(row[0]): int(row[1]) for row in connection.execute(query)}


_LETTER = [dead_letters.c[name] for name in DeadLetter.__dataclass_fields__]


def _letter(row: Row[Any]) -> DeadLetter:
    values = row._asdict()
    values["channel"] = values["channel"] and Channel(values["channel"])
    values["cause"] = Cause(values["cause"])
    values["state"] = State(values["state"])
    return DeadLetter(**values)


def _conditions(wanted: Wanted, dialect: str) -> Iterator[ColumnElement[bool]]:
    columns = dead_letters.c
    for name in (
        *("notification_id", "channel", "lane", "source"),
        *("template", "cause", "code", "state"),
    ):
        value = getattr(wanted, name)
        if value is not None:
            yield columns[name] == value
    if wanted.ids is not None:
        yield columns.id.in_(wanted.ids)
    if wanted.since is not None:
        yield columns.archived_at >= wanted.since
    if wanted.until is not None:
        yield columns.archived_at < wanted.until
    if wanted.text is not None:
        yield _holds(wanted.text, dialect)


def _holds(text: str, dialect: str) -> ColumnElement[bool]:
    columns = dead_letters.c
    words = (columns.reason, columns.routing_key, columns.message_id)
    return or_(
        *(column.icontains(text, autoescape=True) for column in words),
        *(_within(part, dialect) > 0 for part in _spellings(text)),
    )


def _within(part: bytes, dialect: str) -> ColumnElement[int]:
    """Make the place of some bytes in the body, from 1, or 0."""
    sought = literal(part, LargeBinary)
    if dialect == "sqlite":
        return func.instr(dead_letters.c.body, sought)
    return func.position(sought.op("IN")(dead_letters.c.body))


def _spellings(text: str) -> set[bytes]:
    """Spell a text as JSON may: as it is, and with its characters escaped."""
    escaped = json.dumps(text)[1:-1]
    return {text.encode(errors="surrogateescape"), escaped.encode()}
