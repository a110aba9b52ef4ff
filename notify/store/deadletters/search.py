"""Searching the dead letters."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    LargeBinary,
    Row,
    Select,
    and_,
    func,
    literal,
    or_,
    select,
)

from notify.contract import Spellings
from notify.message import Channel
from notify.store.db.clock import Moment, moment
from notify.store.deadletters.archive import Cause, LetterState
from notify.store.deadletters.letter_text import searchable_texts
from notify.store.sealing.row_cipher import RowCipher, cipher_of
from notify.store.tables import dead_letters

_AT_ONCE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """One archived letter, without its content."""

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
    state: LetterState
    state_at: datetime
    replay_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterFilter:
    """The dead letters to select; None does not filter."""

    ids: Collection[int] | None = None
    notification_id: UUID | None = None
    """Of a notification or a batch."""
    channel: Channel | None = None
    lane: str | None = None
    source: str | None = None
    template: str | None = None
    cause: Cause | None = None
    code: str | None = None
    state: LetterState | None = None
    before_id: int | None = None
    """Only older letters than this one."""
    since: Moment | None = None
    """The earliest time of archiving."""
    until: Moment | None = None
    text: str | None = None
    """
    A text in the reason, the key, the message id or the body. A recipient is found in any spelling.
    """


def find_letters(connection: Connection, wanted: LetterFilter, *, limit: int) -> list[DeadLetter]:
    """
    Return the newest dead letters that match, newest first.

    Raises:
        Sealed: Bodies are searched, and the keyring cannot open one of them.
    """
    query = select(*_LETTER).order_by(dead_letters.c.id.desc())
    return [_letter(row) for row in _rows(connection, query, wanted, limit=limit)]


def find_letter_ids(
    connection: Connection, wanted: LetterFilter, *, limit: int | None = None
) -> list[int]:
    """
    Return the ids of the oldest dead letters that match, oldest first.

    Raises:
        Sealed: As `find_letters`.
    """
    query = select(dead_letters.c.id).order_by(dead_letters.c.id)
    return [row.id for row in _rows(connection, query, wanted, limit=limit)]


def count_letters(connection: Connection, wanted: LetterFilter) -> dict[Cause, int]:
    """
    Count the dead letters that match, by cause.

    Raises:
        Sealed: As `find_letters`.
    """
    cause = dead_letters.c.cause
    if wanted.text is not None:
        return Counter(Cause(row.cause) for row in _rows(connection, select(cause), wanted))
    query = select(cause, func.count()).where(*_conditions(wanted)).group_by(cause)
    return {Cause(row[0]): int(row[1]) for row in connection.execute(query)}


def _rows(
    connection: Connection, query: Select[Any], wanted: LetterFilter, *, limit: int | None = None
) -> Sequence[Row[Any]]:
    query = query.where(*_conditions(wanted))
    if wanted.text is None:
        return connection.execute(query.limit(limit)).all()
    with closing(_containing(connection, query, wanted.text)) as found:
        return list(islice(found, limit))


def _containing(
    connection: Connection, query: Select[Any], text: str
) -> Generator[Row[Any], None, None]:
    """Yield the letters that contain a text; sealed ones are opened to search them."""
    columns = dead_letters.c
    person = Spellings(text)
    in_sql = _sql_contains(text, connection.dialect.name)
    if not person.recognisable:
        query = query.where(or_(in_sql, columns.key_id.is_not(None)))
    query = query.add_columns(in_sql.label("in_sql"), columns.key_id, columns.fingerprint)
    query = query.add_columns(columns.body.label("stored"), *_WORDS)
    query = query.execution_options(yield_per=_AT_ONCE)
    cipher = cipher_of(connection)
    with connection.execute(query) as result:
        for row in result:
            if row.in_sql or _contains(row, cipher, text, person):
                yield row


def _contains(row: Row[Any], cipher: RowCipher, text: str, person: Spellings) -> bool:
    """Return whether a letter has a text that SQL cannot find: sealed, or spelled otherwise."""
    if row.key_id is None and not person.recognisable:
        return False
    body = cipher.open_letter_part(row.fingerprint, row.key_id, "body", row.stored)
    if any(part in body for part in json_spellings(text)):
        return True
    if not person.recognisable:
        return False
    words = (row._mapping[column.key] for column in _WORDS)
    return any(person.is_in(each) for each in (*words, *searchable_texts(body)))


_WORDS = [
    dead_letters.c[name].label(f"{name}_word") for name in ("reason", "routing_key", "message_id")
]
_LETTER = [dead_letters.c[name] for name in DeadLetter.__dataclass_fields__]


def _letter(row: Row[Any]) -> DeadLetter:
    values = {name: row._mapping[name] for name in DeadLetter.__dataclass_fields__}
    values["channel"] = values["channel"] and Channel(values["channel"])
    values["cause"] = Cause(values["cause"])
    values["state"] = LetterState(values["state"])
    return DeadLetter(**values)


def _conditions(wanted: LetterFilter) -> Iterator[ColumnElement[bool]]:
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
    if wanted.before_id is not None:
        yield columns.id < wanted.before_id
    if wanted.since is not None:
        yield columns.archived_at >= moment(wanted.since)
    if wanted.until is not None:
        yield columns.archived_at < moment(wanted.until)


def _sql_contains(text: str, dialect: str) -> ColumnElement[bool]:
    columns = dead_letters.c
    words = (columns.reason, columns.routing_key, columns.message_id)
    within = or_(*(_within(part, dialect) > 0 for part in json_spellings(text)))
    return or_(
        *(column.icontains(text, autoescape=True) for column in words),
        and_(columns.key_id.is_(None), within),
    )


def _within(part: bytes, dialect: str) -> ColumnElement[int]:
    """Return the expression for the position of some bytes in the body, from 1; 0 if absent."""
    sought = literal(part, LargeBinary)
    if dialect == "sqlite":
        return func.instr(dead_letters.c.body, sought)
    return func.position(sought.op("IN")(dead_letters.c.body))


def json_spellings(text: str) -> set[bytes]:
    """Return the byte forms of a text in JSON: as it is, and with its characters escaped."""
    escaped = json.dumps(text)[1:-1]
    return {text.encode(errors="surrogateescape"), escaped.encode()}
