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
from notify.store.delivery.records import Record
from notify.store.sealing.row_cipher import RowCipher, cipher_of

_INSERT = """
INSERT INTO notifications (
    id, public_id, batch_id, position, source, channel, lane, idempotency_key, digest, recipient,
    template, body, status, reason, expires_at, traceparent, due_at, hold_id,
    key_id, recipient_hash,
    attempts, spent, possible_duplicate, fence, lease_until, received_at, updated_at
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 1, ?, ?, ?)
ON CONFLICT DO NOTHING
"""
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
    """Insert what is new, with its attempt or its end; return the sources and ids that were."""
    fresh = set()
    at, end = _instant(now), _instant(until)
    cipher = cipher_of(engine)
    rows = [_row(entry, cipher, at=at, until=end) for entry in entries]
    with _cursor(engine) as cursor:
        for entry, row in zip(entries, rows, strict=True):
            if not cursor.execute(_INSERT, row).rowcount:
                continue
            fresh.add(entry.notification.identity)
            key = entry.notification.id.hex
            if entry.status is Status.SENDING:
                cursor.execute(_OPEN, (_hex(entry.attempt_id), key, entry.provider, at))
            else:
                cursor.execute(
                    _NOTE, (key, at, entry.status.value, entry.reason, entry.due_at is None)
                )
    return fresh


def record(engine: Engine, records: Sequence[Record]) -> set[UUID]:
    """Write how calls ended; give the ids that were still this worker's, so were written."""
    written = set()
    with _cursor(engine) as cursor:
        for each in records:
            at, key, status = _instant(each.ended_at), each.notification_id.hex, each.status.value
            following = (each.spent, _instant(each.due_at), each.possible_duplicate)
            change = (status, each.reason, at, *following, key, each.fence)
            if not cursor.execute(_SETTLE, change).rowcount:
                continue
            written.add(each.notification_id)
            answer = (each.provider_id, each.http_status, each.code, each.reason)
            cursor.execute(_CLOSE, (at, each.outcome.value, *answer, each.attempt_id.hex))
            cursor.execute(_NOTE, (key, at, status, each.reason, each.news))
    return written


@contextmanager
def booking(engine: Engine) -> Iterator[Connection]:
    """Run a transaction that is not waited for on the disk; the next that is takes it along."""
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


def _row(
    entry: Entry, cipher: RowCipher, *, at: str | None, until: str | None
) -> tuple[object, ...]:
    asked = entry.notification
    kept = cipher.seal_notification(asked)
    sending = entry.status is Status.SENDING
    return (
        asked.id.hex,
        _hex(asked.public_id),
        _hex(asked.batch_id),
        asked.position,
        asked.source,
        asked.channel.value,
        asked.lane,
        asked.idempotency_key,
        kept.digest,
        kept.recipient,
        asked.template,
        kept.body,
        entry.status.value,
        entry.reason,
        _instant(asked.expires_at),
        asked.traceparent,
        _instant(entry.due_at),
        entry.hold_id,
        kept.key_id,
        kept.recipient_hash,
        1 if sending else 0,
        until if sending else None,
        at,
        at,
    )


def _hex(id_: UUID | None) -> str | None:
    return id_.hex if id_ is not None else None


def _instant(value: datetime | None) -> str | None:
    """Write an instant as the tables' type does: UTC without a zone, always of one length."""
    if value is None:
        return None
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
