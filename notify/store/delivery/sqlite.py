"""The two hot writes on SQLite: prepared statements, a row at a time, in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine

from notify.message import Identity, Status
from notify.store.delivery.claims import Entry
from notify.store.delivery.columns import NEW, claimed_row
from notify.store.delivery.records import Record
from notify.store.sealing.row_cipher import cipher_of

_INSERT = f"""
INSERT INTO notifications (
    {", ".join(NEW)},
    attempts, lease_until, received_at, updated_at, spent, possible_duplicate, fence
) VALUES ({"?, " * len(NEW)}?, ?, ?, ?, 0, 0, 1)
ON CONFLICT DO NOTHING
"""  # noqa: S608 - the names of columns
_OPEN = """
INSERT INTO attempts (id, notification_id, number, provider, started_at) VALUES (?, ?, 1, ?, ?)
"""
_SETTLE = """
UPDATE notifications
SET status = ?, reason = ?, lease_until = NULL, updated_at = ?, spent = ?, due_at = ?,
    possible_duplicate = possible_duplicate OR ?
WHERE id = ? AND fence = ? AND status = 'sending'
"""
_CLOSE = """
UPDATE attempts
SET ended_at = ?, outcome = ?, provider_id = ?, http_status = ?, code = ?, reason = ?
WHERE id = ?
"""
_NOTE = """
INSERT INTO events (notification_id, at, status, reason, to_publish) VALUES (?, ?, ?, ?, ?)
"""


def claim(
    engine: Engine, entries: Sequence[Entry], *, now: datetime, until: datetime
) -> set[Identity]:
    """Insert what is new, with its attempt or its end; return the sources and ids inserted."""
    fresh = set()
    at, lease_until = _value(now), _value(until)
    cipher = cipher_of(engine)
    # Sealed before the transaction begins, so that it does not keep other writers waiting.
    rows = [[*map(_value, claimed_row(entry, cipher))] for entry in entries]
    with _cursor(engine) as cursor:
        for entry, row in zip(entries, rows, strict=True):
            sending = entry.status is Status.SENDING
            claimed = (1, lease_until) if sending else (0, None)
            if not cursor.execute(_INSERT, (*row[: len(NEW)], *claimed, at, at)).rowcount:
                continue
            fresh.add(entry.notification.identity)
            key = row[0]
            if sending:
                attempt_id, provider = row[len(NEW) :]
                cursor.execute(_OPEN, (attempt_id, key, provider, at))
            else:
                end = (key, at, entry.status.value, entry.reason, entry.due_at is None)
                cursor.execute(_NOTE, end)
    return fresh


def record(engine: Engine, records: Sequence[Record]) -> set[UUID]:
    """Write how calls ended; return the ids of those that this worker still owned."""
    written = set()
    with _cursor(engine) as cursor:
        for each in records:
            at, key, status = _value(each.ended_at), each.notification_id.hex, each.status.value
            following = (each.spent, _value(each.due_at), each.possible_duplicate)
            change = (status, each.reason, at, *following, key, each.fence)
            if not cursor.execute(_SETTLE, change).rowcount:
                continue
            written.add(each.notification_id)
            answer = (each.provider_id, each.http_status, each.code, each.reason)
            cursor.execute(_CLOSE, (at, each.outcome.value, *answer, each.attempt_id.hex))
            cursor.execute(_NOTE, (key, at, status, each.reason, each.to_publish))
    return written


@contextmanager
def booking(engine: Engine) -> Iterator[Connection]:
    """Run a transaction that does not wait for the disk; the next durable commit includes it."""
    with engine.connect() as connection:
        connection.connection.cursor().execute("PRAGMA synchronous = NORMAL")
        try:
            with connection.begin():
                yield connection
        finally:
            connection.connection.cursor().execute("PRAGMA synchronous = FULL")


@contextmanager
def _cursor(engine: Engine) -> Iterator[Any]:
    with engine.begin() as connection:
        yield connection.connection.cursor()


def _value(value: object) -> object:
    """Return a value as the tables' types write it: an instant in UTC, always of one length."""
    if isinstance(value, UUID):
        return value.hex
    if isinstance(value, datetime):
        utc = value.astimezone(UTC).replace(tzinfo=None)
        return utc.isoformat(sep=" ", timespec="microseconds")
    return value
