"""The age at which rows are deleted, and the hours of receipt that may have such rows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, or_, select

from notify.store.totals import current, hour_begin, hour_of, read_progress


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionCutoff:
    """
    The age at which rows of some lanes are deleted.

    Attributes:
        lanes: The lanes.
        others: If true, all lanes except these, and rows without a lane.
        ended: Rows that ended, or were settled, before then are deleted.
        waiting: So are rows that have waited for an operator since before then: parked outcomes
            and dead letters.
    """

    lanes: Collection[str]
    others: bool = False
    ended: datetime
    waiting: datetime

    def within(self, lane: ColumnElement[Any]) -> ColumnElement[bool]:
        """Match rows of its lanes."""
        if not self.others:
            return lane.in_(self.lanes)
        return or_(lane.is_(None), lane.not_in(self.lanes))

    @property
    def latest(self) -> datetime:
        """The time of receipt after which nothing can be old."""
        return max(self.ended, self.waiting)


def next_hours(
    connection: Connection, old: RetentionCutoff, *, after: datetime | None, limit: int
) -> tuple[datetime, datetime] | None:
    """
    Return the next span of receipt with about *limit* settled notifications of the lanes.

    By the kept totals: neighbouring hours that have some. None if none is left.
    """
    latest = old.latest
    if not read_progress(connection).totals_ready:
        begin = datetime.min.replace(tzinfo=UTC) if after is None else after
        return (begin, latest) if begin < latest else None
    found = current()
    query = select(found.c.hour, func.sum(found.c.count).label("count_"))
    query = query.where(old.within(found.c.lane), found.c.hour <= hour_of(latest))
    if after is not None:
        query = query.where(found.c.hour >= hour_of(after))
    hours: list[int] = []
    for row in connection.execute(query.group_by(found.c.hour).order_by(found.c.hour)):
        if hours and (limit <= 0 or row.hour != hours[-1] + 1):
            break
        hours.append(row.hour)
        limit -= int(row.count_)
    if not hours:
        return None
    begin = hour_begin(hours[0])
    return begin if after is None else max(begin, after), hour_begin(hours[-1] + 1)
