"""The pace of sending and the overdue work, by queries that an index answers quickly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, ScalarSelect, func, select

from notify.message import Status
from notify.store.tables import events, notifications

SPAN = timedelta(seconds=30)
"""The longest span over which the pace is measured."""
NEWEST = 10_000
"""The newest events that are counted, so that the cost does not grow with the load."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How many notifications of one channel and lane were recently sent a second."""

    channel: str
    lane: str
    per_second: float


@dataclass(frozen=True, slots=True)
class Late:
    """Overdue work."""

    count: int
    oldest: datetime | None
    """When the oldest was due."""


def read_pace(connection: Connection, *, now: datetime) -> list[Pace]:
    """Return the pace of each lane over the last `SPAN`, or over the newest `NEWEST` events."""
    newest = (
        select(events.c.notification_id, events.c.at, events.c.status)
        .order_by(events.c.id.desc())
        .limit(NEWEST)
        .subquery()
    )
    extent = connection.execute(select(func.min(newest.c.at), func.count())).one()
    since = max(now - SPAN, extent[0]) if extent[1] == NEWEST else now - SPAN
    seconds = max((now - since).total_seconds(), 1.0)
    lane = _of(newest.c.notification_id)
    sent = (
        select(lane.label("lane"))
        .where(newest.c.at >= since, newest.c.status == str(Status.SENT))
        .subquery()
    )
    counts = select(sent.c.lane, func.count()).where(sent.c.lane.is_not(None))
    found = []
    for row in connection.execute(counts.group_by(sent.c.lane)):
        channel, _, name = row[0].partition(".")
        found.append(Pace(channel, name, row[1] / seconds))
    return found


def _of(notification_id: ColumnElement[UUID]) -> ScalarSelect[str]:
    """Select channel and lane row by row: for a join, PostgreSQL would read the whole table."""
    columns = notifications.c
    lane = select(columns.channel + "." + columns.lane)
    return lane.where(columns.id == notification_id).scalar_subquery()


def count_overdue(connection: Connection, statuses: Sequence[Status], *, now: datetime) -> Late:
    """Count the due notifications that have one of *statuses*."""
    columns = notifications.c
    waits = columns.status.in_([str(each) for each in statuses])
    query = select(func.count(), func.min(columns.due_at)).where(columns.due_at <= now, waits)
    row = connection.execute(query).one()
    return Late(row[0], row[1])


def count_unpublished(connection: Connection) -> Late:
    """Count the unpublished events."""
    query = select(func.count(), func.min(events.c.at)).where(events.c.to_publish.is_(True))
    row = connection.execute(query).one()
    return Late(row[0], row[1])
