"""The changes that receipts make to notifications and their calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, bindparam, func, update

from notify.message import Status
from notify.store.db.packed import packed_array, packed_time
from notify.store.status_rules import (
    LONGEST_REASON,
    RowTransition,
    Transition,
    require_allowed,
)
from notify.store.tables import attempts, notifications
from notify.store.totals import HOUR_IN_SQL
from notify.store.transitions import transition

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


def raise_statuses(
    connection: Connection,
    changes: Sequence[RowTransition],
    *,
    now: datetime,
    announced_until: datetime | None = None,
) -> Mapping[UUID, int]:
    """
    Change the statuses of locked notifications, from one settled status to another.

    Args:
        announced_until: Until when the caller alone may publish the events; None: any relay may.

    Returns:
        By notification, the event that the caller may publish; none on SQLite.

    Raises:
        IllegalTransition: A change is not allowed.
    """
    for change in changes:
        require_allowed(change.before, change.to.status)
    if changes and connection.dialect.name == "postgresql":
        return _raise_at_once(connection, changes, now=now, until=announced_until)
    equal: dict[tuple[Status, Transition], list[UUID]] = {}
    for change in changes:
        equal.setdefault((change.before, change.to), []).append(change.id)
    for (before, to), ids in equal.items():
        transition(connection, notifications.c.id.in_(ids), to, among=[before], now=now)
    return {}


def _raise_at_once(
    connection: Connection,
    changes: Sequence[RowTransition],
    *,
    now: datetime,
    until: datetime | None,
) -> Mapping[UUID, int]:
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


def keep_codes(connection: Connection, codes: Mapping[UUID, str]) -> None:
    """Write the vendor's codes into calls that have none; a code is never overwritten."""
    if codes:
        statement = update(attempts).where(attempts.c.id == bindparam("call"))
        kept = func.coalesce(attempts.c.code, bindparam("new_code"))
        values = [{"call": call, "new_code": code} for call, code in sorted(codes.items())]
        connection.execute(statement.values(code=kept), values)
