"""Counts of notifications by channel, lane and status, from the kept totals and the open rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, select

from notify.message import Status
from notify.store.status_rules import OPEN, SETTLED
from notify.store.tables import notifications
from notify.store.totals.kept import HOUR, current, hour_begin, hour_of
from notify.store.totals.open_rows import open_rows
from notify.store.totals.progress import read_progress

MOVING = (Status.QUEUED, Status.SENDING)
"""Statuses that should change soon without an operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountFilter:
    """The notifications to count; None does not filter."""

    channel: str | None = None
    lane: str | None = None
    status: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def matches(self, *columns: ColumnElement[str]) -> list[ColumnElement[bool]]:
        """Return the conditions on the columns of channel, lane and status."""
        values = self.channel, self.lane, self.status
        pairs = zip(columns, values, strict=True)
        return [column == value for column, value in pairs if value is not None]

    def received(self) -> list[ColumnElement[bool]]:
        """Return the conditions on the time of receipt."""
        received = notifications.c.received_at
        since = [received >= self.since] if self.since is not None else []
        return since + ([received < self.until] if self.until is not None else [])


@dataclass(frozen=True, slots=True)
class GroupCount:
    """How many notifications of one channel and lane have one status."""

    channel: str
    lane: str
    status: str
    """A value of `Status`, unless something else wrote the row."""
    count: int
    oldest: datetime | None = None
    """When the oldest that is queued or sending was received."""


def count_groups(connection: Connection, wanted: CountFilter) -> list[GroupCount]:
    """
    Count the notifications that match; a group may be in several parts.

    While totals are missing (`Progress.totals_ready`), it reads all rows.
    """
    progress = read_progress(connection)
    if not progress.totals_ready:
        return list(_count_rows(connection, wanted))
    found: list[GroupCount] = []
    if wanted.status is None or wanted.status in OPEN:
        for condition in open_rows(progress):
            found += _count_rows(connection, wanted, condition)
    if wanted.status is None or wanted.status not in OPEN:
        found += _count_settled(connection, wanted)
    return found


def _count_rows(
    connection: Connection, wanted: CountFilter, *conditions: ColumnElement[bool]
) -> Iterator[GroupCount]:
    columns = notifications.c
    group = columns.channel, columns.lane, columns.status
    moving = columns.status.in_([str(each) for each in MOVING])
    oldest = func.min(case((moving, columns.received_at)))
    query = select(*group, func.count().label("count_"), oldest.label("oldest"))
    query = query.where(*wanted.matches(*group), *wanted.received(), *conditions)
    for row in connection.execute(query.group_by(*group)):
        yield GroupCount(row.channel, row.lane, row.status, row.count_, row.oldest)


def _count_settled(connection: Connection, wanted: CountFilter) -> Iterator[GroupCount]:
    """Count whole hours by their totals, and the parts of hours at both ends by their rows."""
    first = last = None
    if wanted.since is not None:
        first = hour_of(wanted.since) + (wanted.since > hour_begin(hour_of(wanted.since)))
    if wanted.until is not None:
        last = hour_of(wanted.until)
    found = current()
    group = found.c.channel, found.c.lane, found.c.status
    query = select(*group, func.sum(found.c.count)).where(*wanted.matches(*group))
    if first is not None:
        query = query.where(found.c.hour >= first)
    if last is not None:
        query = query.where(found.c.hour < last)
    for row in connection.execute(query.group_by(*group)):
        yield GroupCount(row.channel, row.lane, row.status, int(row[3]))
    for since, until in _ends(wanted, first, last):
        part = CountFilter(
            channel=wanted.channel, lane=wanted.lane, status=wanted.status, since=since, until=until
        )
        yield from _count_rows(connection, part, notifications.c.status.in_(SETTLED))


def _ends(
    wanted: CountFilter, first: int | None, last: int | None
) -> Iterator[tuple[datetime, datetime]]:
    """Yield the parts of hours at the ends of a span."""
    since, until = wanted.since, wanted.until
    if since is not None and first is not None and until is not None and first > hour_of(until):
        yield since, until
        return
    if since is not None and first is not None and since < hour_begin(first):
        yield since, hour_begin(first)
    if until is not None and last is not None and hour_begin(last) < until:
        yield hour_begin(last), until


def settled_spans(
    connection: Connection, wanted: CountFilter, *, limit: int
) -> Iterator[tuple[datetime, datetime]]:
    """
    Return the spans of receipt that have *limit* matching settled rows, the newest first.

    Whole hours, by the totals: the filter's own ends may cut them.
    """
    found = current()
    query = (
        select(found.c.hour, func.sum(found.c.count))
        .where(*wanted.matches(found.c.channel, found.c.lane, found.c.status))
        .group_by(found.c.hour)
        .order_by(found.c.hour.desc())
    )
    if wanted.since is not None:
        query = query.where(found.c.hour >= hour_of(wanted.since))
    if wanted.until is not None:
        query = query.where(found.c.hour <= hour_of(wanted.until))
    hours: list[int] = []
    rows: Sequence[Any] = connection.execute(query).all()
    for row in rows:
        hours.append(row.hour)
        # The first hour may be cut, and so may the last.
        limit -= int(row[1]) if len(hours) > 1 else 0
        if limit <= 0:
            break
    return _spans(hours)


def _spans(hours: Iterable[int]) -> Iterator[tuple[datetime, datetime]]:
    """Join neighbouring hours, the newest first."""
    newest: int | None = None
    for hour, before in pairwise([*hours, -1]):
        newest = hour if newest is None else newest
        if before != hour - 1:
            yield hour_begin(hour), hour_begin(newest) + HOUR
            newest = None
