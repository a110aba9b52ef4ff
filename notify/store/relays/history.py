"""
A source's events in the order of their numbers, for a subscriber that reads them later.

Numbers are drawn before their transactions end, so that a smaller number can appear after a larger
one: a reader that has passed it would never see it. Only events up to one that is settled are read:
each transaction that could add an earlier one has ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, func, select, text

from notify.contract import Event
from notify.message import Status
from notify.store.relays.events import read_events
from notify.store.tables import events, notifications

STEP = 2_000
"""Events of all sources that one statement examines."""
MOST = 50_000
"""Events of all sources that one page examines."""
_LATE = timedelta(minutes=1)
"""How much older an event may be than those with smaller numbers."""
_PUBLISHED = [status.value for status in Status if status.final]


@dataclass(frozen=True, slots=True)
class EventPage:
    """
    Some events of a source.

    Attributes:
        after: The number after which the next page begins.
        complete: Whether the source has no more events now.
    """

    events: Sequence[Event]
    after: int
    complete: bool


def newest_event(connection: Connection) -> int:
    """Return the number of the newest event; 0 if there is none."""
    return connection.execute(select(func.max(events.c.id))).scalar() or 0


def next_transaction(connection: Connection) -> int:
    """Return the number of the next transaction; 0 on SQLite, which has one writer at a time."""
    return _snapshot(connection, "xmax")


def oldest_transaction(connection: Connection) -> int:
    """Return the number of the oldest transaction that has not ended, or of the next one."""
    return _snapshot(connection, "xmin")


def first_event_since(connection: Connection, at: datetime) -> int:
    """Return a number after which all events of that time or later come, by a binary search."""
    low, high = 0, newest_event(connection) + 1
    while low < high:
        middle = (low + high) // 2
        query = select(events.c.id, events.c.at).where(events.c.id >= middle)
        row = connection.execute(query.order_by(events.c.id).limit(1)).one_or_none()
        if row is None or row.at + _LATE >= at:
            high = middle
        else:
            low = row.id + 1
    return max(low - 1, 0)


def read_history(
    connection: Connection, source: str, *, after: int, until: int, limit: int
) -> EventPage:
    """
    Return the next events of a source that subscribers get, at most *limit*.

    Args:
        after: The last number that was read.
        until: The last number to read; it must be settled.
    """
    found: list[int] = []
    place, examined = after, 0
    while place < until and len(found) < limit and examined < MOST:
        rows = connection.execute(_step(place, until)).all()
        examined += STEP
        ours = [row.id for row in rows if row.source == source and row.status in _PUBLISHED]
        room = limit - len(found)
        found += ours[:room]
        place = rows[-1].id if len(rows) == STEP else until
        if len(ours) > room:
            place = found[-1]
    chosen = [each.event for each in read_events(connection, found)]
    return EventPage(chosen, place, complete=place >= until)


def sources_between(connection: Connection, after: int, until: int) -> dict[str, int]:
    """Return the sources that have events after a number, each with its newest; until another."""
    columns = notifications.c.source, func.max(events.c.id).label("newest")
    query = select(*columns).join(notifications, notifications.c.id == events.c.notification_id)
    query = query.where(events.c.id > after, events.c.id <= until)
    rows = connection.execute(query.group_by(notifications.c.source))
    return {row.source: row.newest for row in rows}


def _step(after: int, until: int) -> Select[Any]:
    # An outer join: an event whose notification was deleted counts as examined.
    query = select(events.c.id, events.c.status, notifications.c.source).outerjoin(
        notifications, notifications.c.id == events.c.notification_id
    )
    query = query.where(events.c.id > after, events.c.id <= until)
    return query.order_by(events.c.id).limit(STEP)


def _snapshot(connection: Connection, edge: str) -> int:
    if connection.dialect.name == "sqlite":
        return 0
    query = f"SELECT pg_snapshot_{edge}(pg_current_snapshot())::text::bigint"
    return int(connection.execute(text(query)).scalar_one())
