"""Counts of the record by channel, lane and status, at one moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    String,
    and_,
    cast,
    func,
    or_,
    select,
    text,
)

from notify.store.deadletters.archive import Cause, LetterState
from notify.store.tables import dead_letters, notifications
from notify.topology import RECEIPTS


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
    own_request = columns.cause.in_([str(Cause.CONTRACT), str(Cause.CONFLICT)])
    found = _recorded(columns.source, columns.notification_id)
    unrecorded = or_(own_request, and_(*(each.is_(None) for each in found)))
    counted = columns.state.in_([str(each) for each in LetterState if each != LetterState.REPLAYED])
    query = (
        select(columns.channel, columns.lane, func.count(request.distinct()).label("count_"))
        .where(counted, unrecorded, ~_is_report())
        .group_by(columns.channel, columns.lane)
    )
    return (DeadCount(row.channel, row.lane, row.count_) for row in connection.execute(query))


def _is_report() -> ColumnElement[bool]:
    columns = dead_letters.c
    keys = (columns.routing_key.like(f"{word}.%") for word in ("feedback", "optout"))
    return or_(columns.exchange == RECEIPTS, *keys)


def _recorded(source: ColumnElement[Any], id_: ColumnElement[Any]) -> Iterator[ColumnElement[Any]]:
    """
    Select, for each of the ids of a notification, one of the same source that has it.

    As values, each found by an index: for `EXISTS`, PostgreSQL would read all notifications once
    there are many letters.
    """
    columns = notifications.c
    own = and_(columns.id == id_, columns.public_id.is_(None))
    for by_id in (own, columns.public_id == id_, columns.batch_id == id_):
        query = select(columns.id).where(by_id, columns.source == source).limit(1)
        yield query.scalar_subquery()
