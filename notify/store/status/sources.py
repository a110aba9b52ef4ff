"""The sources of notifications, and what they sent recently."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from notify.message import Status
from notify.store.tables import notifications

_EXAMINED = 5_000


@dataclass(frozen=True, slots=True)
class SourceActivity:
    """A source's notifications among the newest ones."""

    statuses: Mapping[Status, int]
    newest_at: datetime
    """When the last one was received."""

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.statuses.values())


def known_sources(connection: Connection, *, limit: int) -> list[str]:
    """
    Return the names of sources that have a notification on record, in order.

    Each costs one look into the index of the keys, however many notifications it has.
    """
    column = notifications.c.source
    names: list[str] = []
    while len(names) < limit:
        query = select(column).order_by(column).limit(1)
        if names:
            query = query.where(column > names[-1])
        name: str | None = connection.execute(query).scalar()
        if name is None:
            break
        names.append(name)
    return names


def count_sources(connection: Connection) -> dict[str, SourceActivity]:
    """Count the newest 5,000 notifications by source and status."""
    columns = notifications.c
    newest = (
        select(columns.source, columns.status, columns.received_at)
        .order_by(columns.received_at.desc())
        .limit(_EXAMINED)
        .subquery("newest")
    )
    found = newest.c
    query = select(found.source, found.status, func.count(), func.max(found.received_at)).group_by(
        found.source, found.status
    )
    statuses: defaultdict[str, Counter[Status]] = defaultdict(Counter)
    newest_at: dict[str, datetime] = {}
    for row in connection.execute(query):
        source, at = row.source, row[3]
        statuses[source][Status(row.status)] += int(row[2])
        newest_at[source] = max(at, newest_at.get(source, at))
    return {name: SourceActivity(counts, newest_at[name]) for name, counts in statuses.items()}
