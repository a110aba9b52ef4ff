"""How the record does now, by what indexes tell at once: the pace of sending, and what is late."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, ScalarSelect, func, select

from notify.message import Status
from notify.store.tables import events, notifications

SPAN = timedelta(seconds=30)
"""How far back the pace is told, at most."""
NEWEST = 10_000
"""Of so many of the newest events, so that it costs the same whatever the load."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How many notifications of one channel and lane were sent a second, lately."""

    channel: str
    lane: str
    per_second: float


@dataclass(frozen=True, slots=True)
class Late:
    """What should have happened by now."""

    count: int
    oldest: datetime | None
    """The earliest time at which one of them was due."""


def pace(connection: Connection, *, now: datetime) -> list[Pace]:
    """Tell how fast each lane is sent: over the last 30 seconds, or as far as the newest reach."""
    newest = (
        select(events.c.notification_id, events.c.at, events.c.status)
        .order_by(events.c.id.desc())
        .limit(NEWEST)
        .subquery()
    )
    reach = connection.execute(select(func.min(newest.c.at), func.count())).one()
    since = max(now - SPAN, reach[0]) if reach[1] == NEWEST else now - SPAN
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
    """Look up channel and lane one by one: joined, PostgreSQL would rather read the whole table."""
    columns = notifications.c
    lane = select(columns.channel + "." + columns.lane)
    return lane.where(columns.id == notification_id).scalar_subquery()


def count_overdue(connection: Connection, statuses: Sequence[Status], *, now: datetime) -> Late:
    """Tell what the record should have taken up by now, of those in one of these statuses."""
    columns = notifications.c
    waits = columns.status.in_([str(each) for each in statuses])
    query = select(func.count(), func.min(columns.due_at)).where(columns.due_at <= now, waits)
    row = connection.execute(query).one()
    return Late(row[0], row[1])


def count_unpublished(connection: Connection) -> Late:
    """Tell what producers were not told yet."""
    query = select(func.count(), func.min(events.c.at)).where(events.c.to_publish.is_(True))
    row = connection.execute(query).one()
    return Late(row[0], row[1])
