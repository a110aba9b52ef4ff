"""The two hot writes on SQLite: prepared statements, a row at a time, in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine

from notify.message import Status
from notify.store.delivery.claims import Entry, FirstClaims
from notify.store.delivery.columns import CLAIMED, NEW, claimed_row
from notify.store.delivery.records import Record
from notify.store.sealing.row_cipher import cipher_of
from notify.store.shared_bodies import write_shared
from notify.store.status_rules import OPEN, unsettled
from notify.store.suppression import SuppressionCheck, check
from notify.store.totals import ADD_ON_SQLITE, HOUR_IN_SQL, hour_of

_Group = tuple[Any, ...]
_INSERT = f"""
INSERT INTO notifications (
    {", ".join(NEW)},
    unsettled, attempts, lease_until, received_at, updated_at, spent, possible_duplicate, fence
) VALUES ({"?, " * len(NEW)}?, ?, ?, ?, ?, 0, 0, 1)
ON CONFLICT DO NOTHING
"""  # noqa: S608 - the names of columns
_OPEN = """
INSERT INTO attempts (id, notification_id, number, provider, started_at) VALUES (?, ?, 1, ?, ?)
"""
_SETTLE = f"""
UPDATE notifications
SET status = ?, reason = ?, lease_until = NULL, updated_at = ?, spent = ?, due_at = ?,
    unsettled = ?, possible_duplicate = possible_duplicate OR ?
WHERE id = ? AND fence = ? AND status = 'sending'
RETURNING {HOUR_IN_SQL["sqlite"].format("received_at")}, channel, lane
"""  # noqa: S608 - the name of a column
_CLOSE = """
UPDATE attempts
SET ended_at = ?, outcome = ?, provider_id = ?, http_status = ?, code = ?, reason = ?
WHERE id = ?
"""
_NOTE = """
INSERT INTO events (notification_id, at, status, reason, to_publish, relay_until)
VALUES (?, ?, ?, ?, ?, ?)
"""


def claim(
    engine: Engine, entries: Sequence[Entry], *, now: datetime, until: datetime
) -> FirstClaims:
    """Insert what is new, with its attempt or its end; check all against the suppression list."""
    write_shared(engine, (entry.notification for entry in entries), now=now)
    claims = FirstClaims(set(), {})
    at, lease_until = _value(now), _value(until)
    cipher = cipher_of(engine)
    # Sealed before the transaction begins, so that it does not keep other writers waiting.
    rows = [
        dict(zip(CLAIMED, map(_value, claimed_row(entry, cipher)), strict=True))
        for entry in entries
    ]
    ended: Counter[_Group] = Counter()
    hour = hour_of(now)
    with _cursor(engine) as cursor:
        for entry, row in zip(entries, rows, strict=True):
            identity = entry.notification.identity
            why = _stopped(cursor, row, at)
            if why is not None:
                claims.suppressed[identity] = why
                row |= {"status": Status.SUPPRESSED.value, "reason": why, "attempt_id": None}
            if _insert(cursor, row, at=at, lease_until=lease_until):
                claims.fresh.add(identity)
                ended[hour, row["channel"], row["lane"], row["status"]] += 1
        _count(cursor, ended)
    return claims


def _stopped(cursor: Any, row: Mapping[str, Any], at: object) -> str | None:
    """Return the text of the suppression that stops a message; None if none does."""
    if row["checked"] == SuppressionCheck.NONE:
        return None
    hashes = row["recipient_hash"], row["clear_hash"]
    source, category = row["source"], row["category"]
    scopes = source, category, category, source, row["sender"]
    every = row["checked"] == SuppressionCheck.ALL
    found = cursor.execute(check.SQLITE, (row["channel"], *hashes, at, *scopes, every)).fetchone()
    return found[0] if found else None


def _insert(cursor: Any, row: Mapping[str, Any], *, at: object, lease_until: object) -> bool:
    """Insert a notification with its attempt or its end; return whether it was new."""
    attempt_id = row["attempt_id"]
    deferred = unsettled(Status(row["status"]))
    claimed = (deferred, 0, None) if attempt_id is None else (None, 1, lease_until)
    values = [row[column] for column in NEW]
    if not cursor.execute(_INSERT, (*values, *claimed, at, at)).rowcount:
        return False
    if attempt_id is not None:
        cursor.execute(_OPEN, (attempt_id, row["id"], row["provider"], at))
    else:
        end = (row["id"], at, row["status"], row["reason"], row["due_at"] is None, None)
        cursor.execute(_NOTE, end)
    return True


def record(engine: Engine, records: Sequence[Record]) -> dict[UUID, int]:
    """Write how calls ended; return the event of each that this worker still owned."""
    written = {}
    ended: Counter[_Group] = Counter()
    with _cursor(engine) as cursor:
        for each in records:
            at, key, status = _value(each.ended_at), each.notification_id.hex, each.status.value
            following = (each.spent, _value(each.due_at), unsettled(each.status))
            row = (key, each.fence)
            change = (status, each.reason, at, *following, each.possible_duplicate, *row)
            group = cursor.execute(_SETTLE, change).fetchone()
            if group is None:
                continue
            ended[(*group, status)] += 1
            answer = (each.provider_id, each.http_status, each.code, each.reason)
            cursor.execute(_CLOSE, (at, each.outcome.value, *answer, each.attempt_id.hex))
            event = (status, each.reason, each.to_publish, _value(each.announced_until))
            cursor.execute(_NOTE, (key, at, *event))
            written[each.notification_id] = cursor.lastrowid
        _count(cursor, ended)
    return written


def _count(cursor: Any, changes: Mapping[_Group, int]) -> None:
    """Add to the totals those that are settled."""
    values = [(*group, n) for group, n in changes.items() if group[-1] not in OPEN]
    cursor.executemany(ADD_ON_SQLITE, values)


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
