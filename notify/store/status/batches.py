"""Recent batches, found through the newest notifications."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, func, select

from notify.message import Channel
from notify.store.tables import notifications

_EXAMINED = 20_000


@dataclass(frozen=True, slots=True)
class BatchSize:
    """One batch, and its notifications among those that were examined."""

    batch_id: UUID
    source: str
    channel: Channel
    lane: str
    template: str | None
    received_at: datetime
    """When the first of its notifications was received."""
    recipients: int


def find_batches(
    connection: Connection, *, source: str | None = None, limit: int
) -> list[BatchSize]:
    """Return the batches among the newest 20,000 notifications, newest first."""
    columns = notifications.c
    newest = (
        select(
            *(columns[name] for name in ("batch_id", "source", "channel", "lane", "template")),
            columns.received_at,
        )
        .order_by(columns.received_at.desc())
        .limit(_EXAMINED)
        .subquery("newest")
    )
    found = newest.c
    group = found.batch_id, found.source, found.channel, found.lane, found.template
    begin = func.min(found.received_at).label("begin")
    query = (
        select(*group, begin, func.count())
        .where(found.batch_id.is_not(None))
        .group_by(*group)
        .order_by(begin.desc(), found.batch_id)
        .limit(limit)
    )
    if source is not None:
        query = query.where(found.source == source)
    return [
        BatchSize(row[0], row[1], Channel(row[2]), row[3], row[4], row[5], int(row[6]))
        for row in connection.execute(query)
    ]
