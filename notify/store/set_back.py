"""
Corrections after the database's clock was set back, so that no row waits longer because of it.

A row is dated by its last change. If that date is ahead of the clock, the clock was set back since
then. The time between the change and the due time is still the intended wait.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Row,
    Table,
    bindparam,
    or_,
    select,
    update,
)

from notify.message import Status
from notify.store.deadletters.archive import LetterState
from notify.store.tables import dead_letters, notifications

log = structlog.get_logger("notify.store")

MARGIN = timedelta(seconds=5)
"""How far ahead a time may be because processes measure the clock separately."""
LONGEST_LEASE = timedelta(seconds=60)
"""The longest lease of a relay or reconciler."""
_WAITING = (str(Status.QUEUED), str(Status.UNKNOWN))


def unleased(
    leased_until: Column[datetime], *, now: datetime, lease: timedelta
) -> ColumnElement[bool]:
    """Match rows without a lease; a lease longer than any dates from before the set-back."""
    bogus = leased_until > now + max(lease, LONGEST_LEASE) + MARGIN
    return or_(leased_until.is_(None), leased_until <= now, bogus)


def correct_waits(connection: Connection, *, now: datetime, limit: int) -> int:
    """
    Date retries, look-ups and replays from now that are dated ahead of the clock.

    A scheduled notification was requested for a time of day, and keeps it.

    Returns:
        How many rows were changed; at most *limit* of each kind.
    """
    columns = notifications.c
    waits = columns.status.in_(_WAITING)
    due = _right(connection, notifications, "due_at", "updated_at", waits, now=now, limit=limit)
    replayed = dead_letters.c.state == LetterState.REPLAYED
    until, at = "replay_until", "state_at"
    return due + _right(connection, dead_letters, until, at, replayed, now=now, limit=limit)


def _right(
    connection: Connection,
    table: Table,
    until: str,
    dated: str,
    which: ColumnElement[bool],
    *,
    now: datetime,
    limit: int,
) -> int:
    columns = table.c
    ahead = (columns[until].is_not(None), columns[dated] > now + MARGIN, which)
    query = select(columns.id, columns[until].label("until"), columns[dated].label("dated"))
    locked = query.where(*ahead).order_by(columns.id).limit(limit)
    rows = connection.execute(locked.with_for_update(skip_locked=True)).all()
    if rows:
        values: dict[str, Any] = {until: bindparam("new_until"), dated: bindparam("new_date")}
        changes = [
            {"of_row": row.id, "new_until": now + (row.until - row.dated), "new_date": now}
            for row in rows
        ]
        change = update(table).where(columns.id == bindparam("of_row")).values(values)
        connection.execute(change, changes)
    return len(rows)


def correct_leases(
    connection: Connection, rows: Iterable[Row[Any]], *, now: datetime, lease: timedelta
) -> None:
    """Shorten leases that are longer than any should be; *rows* are locked by the caller."""
    latest = now + lease + MARGIN
    ids = [row.id for row in rows if row.lease_until is not None and row.lease_until > latest]
    if ids:
        log.warning("notify.clock_set_back", count=len(ids))
        change = update(notifications).where(notifications.c.id.in_(ids))
        connection.execute(change.values(lease_until=now + lease))
