"""The writes of receipts on PostgreSQL, with one packed array for each column of all rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from uuid import UUID

from sqlalchemy import Connection

from notify.store.db.packed import packed_array, packed_time
from notify.store.receipts.rows import ReceiptRow
from notify.store.status_rules import LONGEST_REASON, RowTransition, require_allowed
from notify.store.totals import HOUR_IN_SQL

_TYPES: Mapping[str, str] = {
    "fingerprint": "bytea",
    "provider": "text",
    "notification_id": "uuid",
    "attempt_id": "uuid",
    "provider_id": "text",
    "event": "text",
    "word": "text",
    "blame": "text",
    "code": "text",
    "reason": "text",
    "recipient_hash": "bytea",
    "at": "timestamptz",
    "received_at": "timestamptz",
    "applied_at": "timestamptz",
    "waits_until": "timestamptz",
}
_PARTS = attrgetter(*_TYPES)
# In one order, so that two workers with the same receipts do not deadlock.
_INSERT = f"""
INSERT INTO receipts ({", ".join(_TYPES)})
SELECT * FROM unnest({", ".join(f"%({name})b::{type_}[]" for name, type_ in _TYPES.items())})
    AS new ({", ".join(_TYPES)})
ORDER BY fingerprint
ON CONFLICT DO NOTHING
RETURNING fingerprint
"""  # noqa: S608 - the names of columns
_KNOWN = "SELECT fingerprint FROM receipts WHERE fingerprint = ANY (%(fingerprints)b::bytea[])"
# What `transition` writes, for changes between settled statuses: one statement instead of four.
_RAISE = f"""
WITH wanted AS (
    SELECT * FROM unnest(
        %(ids)b::uuid[], %(before)b::text[], %(status)b::text[], %(reasons)b::text[]
    ) AS wanted (id, before, status, reason)
), written AS (
    UPDATE notifications
    SET status = wanted.status, reason = wanted.reason, due_at = NULL, relay_until = NULL,
        lease_until = NULL, hold_id = NULL, unsettled = NULL, updated_at = %(now)b::timestamptz
    FROM wanted
    WHERE notifications.id = wanted.id AND notifications.status = wanted.before
    RETURNING notifications.id, channel, lane, received_at
), noted AS (
    INSERT INTO events (notification_id, at, status, reason, to_publish, relay_until)
    SELECT id, %(now)b::timestamptz, status, reason, true, %(until)b::timestamptz
    FROM wanted JOIN written USING (id)
    RETURNING notification_id, id
), counted AS (
    INSERT INTO total_changes (hour, channel, lane, status, change)
    SELECT {HOUR_IN_SQL["postgresql"].format("received_at")} AS hour, channel, lane, moved.status,
        sum(moved.change)
    FROM wanted JOIN written USING (id),
        LATERAL (VALUES (wanted.before, -1), (wanted.status, 1)) AS moved (status, change)
    GROUP BY hour, channel, lane, moved.status
)
SELECT notification_id, id FROM noted
"""  # noqa: S608 - an expression of our own


def insert(connection: Connection, rows: Sequence[ReceiptRow]) -> set[bytes]:
    """Insert receipts, each once; return the fingerprints that were not on record before."""
    columns = zip(*map(_PARTS, rows), strict=True)
    values = {
        name: packed_array(type_, column)
        for (name, type_), column in zip(_TYPES.items(), columns, strict=True)
    }
    found = connection.exec_driver_sql(_INSERT, values)
    return {bytes(row.fingerprint) for row in found}


def known(connection: Connection, fingerprints: Collection[bytes]) -> set[bytes]:
    """Return those of the fingerprints that are on record."""
    asked = {"fingerprints": packed_array("bytea", list(fingerprints))}
    return {bytes(row[0]) for row in connection.exec_driver_sql(_KNOWN, asked)}


def raise_statuses(
    connection: Connection,
    changes: Sequence[RowTransition],
    *,
    now: datetime,
    until: datetime | None,
) -> Mapping[UUID, int]:
    """
    Change statuses in one statement.

    Args:
        until: Until when the caller alone may publish the events; None: any relay may.

    Returns:
        By notification, the event that the caller may publish.

    Raises:
        IllegalTransition: A change is not allowed.
    """
    for change in changes:
        require_allowed(change.before, change.to.status)
    reasons = [each.to.reason and each.to.reason[:LONGEST_REASON] for each in changes]
    values = {
        "ids": packed_array("uuid", [each.id for each in changes]),
        "before": packed_array("text", [each.before.value for each in changes]),
        "status": packed_array("text", [each.to.status.value for each in changes]),
        "reasons": packed_array("text", reasons),
        "now": packed_time(now),
        "until": None if until is None else packed_time(until),
    }
    noted = connection.exec_driver_sql(_RAISE, values)
    return {} if until is None else {row.notification_id: row.id for row in noted}
