"""Counts of the record by channel, lane and status, at one moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    String,
    and_,
    case,
    cast,
    func,
    or_,
    select,
    text,
)

from notify.message import Status
from notify.store.deadletters.archive import Cause, LetterState
from notify.store.tables import dead_letters, notifications
from notify.topology import RECEIPTS

MOVING = (Status.QUEUED, Status.SENDING)
"""Statuses that should change soon without an operator."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many notifications of one channel and lane have one status."""

    channel: str
    lane: str
    status: str
    """A value of `Status`, unless something else wrote the row."""
    count: int
    oldest: datetime | None
    """When the oldest that is queued or sending was received."""


@dataclass(frozen=True, slots=True)
class DeadCount:
    """How many archived requests of one channel and lane have no notification."""

    channel: str | None
    """None if it cannot be decoded."""
    lane: str | None
    count: int


def fix_snapshot(connection: Connection) -> None:
    """Make all queries of a new transaction read one snapshot, with a long timeout."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        connection.execute(text("SET LOCAL statement_timeout = '10min'"))


def count_notifications(connection: Connection) -> int:
    """Count the notifications."""
    return connection.execute(select(func.count()).select_from(notifications)).scalar_one()


def count_by_status(connection: Connection) -> Iterator[Count]:
    """Count the notifications by channel, lane and status."""
    columns = notifications.c
    moving = columns.status.in_([str(each) for each in MOVING])
    query = select(
        columns.channel,
        columns.lane,
        columns.status,
        func.count().label("count_"),
        func.min(case((moving, columns.received_at))).label("oldest"),
    ).group_by(columns.channel, columns.lane, columns.status)
    return (
        Count(row.channel, row.lane, row.status, row.count_, row.oldest)
        for row in connection.execute(query)
    )


def count_dead_only(connection: Connection) -> Iterator[DeadCount]:
    """
    Count the requests that exist only as a dead letter.

    A replayed request counts as its notification, and so does one whose notification ended. A
    request that died twice counts once. Receipts and producers' reports are not requests.
    """
    columns = dead_letters.c
    # An id counts within its source.
    id_ = func.coalesce(cast(columns.notification_id, String), cast(columns.id, String))
    request = func.coalesce(columns.source, "") + "/" + id_
    known = or_(*_recorded(columns.source, columns.notification_id))
    unrecorded = or_(columns.cause.in_([str(Cause.CONTRACT), str(Cause.CONFLICT)]), ~known)
    query = (
        select(columns.channel, columns.lane, func.count(request.distinct()).label("count_"))
        .where(columns.state != LetterState.REPLAYED, unrecorded, ~_is_report())
        .group_by(columns.channel, columns.lane)
    )
    return (DeadCount(row.channel, row.lane, row.count_) for row in connection.execute(query))


def _is_report() -> ColumnElement[bool]:
    columns = dead_letters.c
    keys = (columns.routing_key.like(f"{word}.%") for word in ("feedback", "optout"))
    return or_(columns.exchange == RECEIPTS, *keys)


def _recorded(source: ColumnElement[Any], id_: ColumnElement[Any]) -> Iterator[ColumnElement[bool]]:
    """Match what has a notification of the same source, by any of its ids."""
    columns = notifications.c
    own = and_(columns.id == id_, columns.public_id.is_(None))
    # Not by `PUBLIC_ID`: each of these is found by an index.
    for by_id in (own, columns.public_id == id_, columns.batch_id == id_):
        yield select(columns.id).where(by_id, columns.source == source).exists()
