"""Slices of the record that the ledger checks one at a time, and what it remembers of them."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    delete,
    func,
    insert,
    literal,
    not_,
    select,
    text,
    true,
    union_all,
)

from notify.store.db import upsert
from notify.store.status_rules import SETTLED
from notify.store.tables import (
    UtcDateTime,
    checked_hours,
    events,
    notifications,
    suspects,
    total_changes,
    totals,
)
from notify.store.totals import (
    Group,
    current,
    first_received,
    hour_begin,
    hour_column,
    hour_of,
    open_rows,
    read_progress,
)

SLICE = 50_000
"""Notifications, events or calls in one slice."""
_AT_ONCE = 500


def allow_minutes(connection: Connection) -> None:
    """Raise the timeout of the transaction's statements to ten minutes."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL statement_timeout = '10min'"))


def next_hour(connection: Connection, *, since: datetime | None) -> int | None:
    """Return the hour of the first notification received since then; None if there is none."""
    first = first_received(connection, since=since)
    return None if first is None else hour_of(first)


def next_hours(connection: Connection, *, since: datetime | None, before: int) -> range | None:
    """
    Return the next hours with about `SLICE` notifications, at least one hour; None if none is left.

    Args:
        since: When the first of them was received, at the earliest.
        before: The slice ends before this hour, unless it begins later.
    """
    first = next_hour(connection, since=since)
    if first is None:
        return None
    following = first_received(connection, since=hour_begin(first), offset=SLICE)
    end = max(first + 1, hour_of(following) if following is not None else sys.maxsize)
    return range(first, min(end, before) if first < before else first + 1)


def in_hours(hours: range) -> ColumnElement[bool]:
    """Match the notifications received in some hours."""
    received = notifications.c.received_at
    return and_(received >= hour_begin(hours.start), received < hour_begin(hours.stop))


def in_none_of(slices: Iterable[range], *, before: datetime) -> ColumnElement[bool]:
    """Match the notifications received before a time, and in none of these hours."""
    received = notifications.c.received_at < before
    return and_(received, *(not_(in_hours(each)) for each in slices))


def newest_event(connection: Connection, *, before: datetime | None = None) -> int:
    """Return the newest event, or the newest one of before a time; 0 if there is none."""
    columns = events.c
    query = select(columns.id).order_by(columns.id.desc()).limit(1)
    if before is not None:
        query = query.where(columns.at < before)
    return connection.execute(query).scalar() or 0


def id_slices(
    connection: Connection, table: Table, *, after: Any, until: Any
) -> Iterator[ColumnElement[bool]]:
    """Yield conditions that split the rows of a table between two ids; None does not limit."""
    columns = table.c
    while True:
        rows = [columns.id > after] if after is not None else []
        rows += [columns.id <= until] if until is not None else []
        query = select(columns.id).where(*rows).order_by(columns.id).offset(SLICE - 1).limit(1)
        last = connection.execute(query).scalar()
        if last is not None:
            rows.append(columns.id <= last)
        yield and_(true(), *rows)
        if last is None:
            return
        after = last


def of_events(rows: ColumnElement[bool]) -> ColumnElement[bool]:
    """Match the notifications of some events."""
    return notifications.c.id.in_(select(events.c.notification_id).where(rows))


def still_open(connection: Connection) -> Sequence[ColumnElement[bool]]:
    """Return conditions that match the open notifications."""
    return open_rows(read_progress(connection))


def longest_unchecked(connection: Connection, *, most: int) -> list[range]:
    """Return the checked hours whose check is the oldest, neighbours together."""
    columns = checked_hours.c
    query = select(columns.hour).order_by(columns.checked_at, columns.hour).limit(most)
    found: list[range] = []
    hours: list[int] = sorted(connection.execute(query).scalars())
    for hour in hours:
        if found and found[-1].stop == hour:
            found[-1] = range(found[-1].start, hour + 1)
        else:
            found.append(range(hour, hour + 1))
    return found


def remember_hours(connection: Connection, hours: range, *, now: datetime) -> None:
    """Record that these hours were checked; only those with settled notifications are kept."""
    columns = checked_hours.c
    checked = columns.hour.between(hours.start, hours.stop - 1)
    connection.execute(delete(checked_hours).where(checked))
    hour: ColumnElement[Any] = current().c.hour
    query = select(hour, literal(now, UtcDateTime)).distinct()
    query = query.where(hour.between(hours.start, hours.stop - 1))
    statement = upsert.insert(checked_hours, connection)
    statement = statement.from_select(list(columns.keys()), query)
    connection.execute(statement.on_conflict_do_nothing())


def forget_hours(connection: Connection, *, before: int) -> None:
    """Delete what is kept of hours whose notifications were all deleted."""
    connection.execute(delete(checked_hours).where(checked_hours.c.hour < before))
    connection.execute(delete(totals).where(totals.c.hour < before, totals.c.count == 0))


def read_suspects(connection: Connection) -> list[UUID]:
    """Return the notifications that the last check found contradictory or doubtful."""
    return list(connection.execute(select(suspects.c.notification_id)).scalars())


def write_suspects(connection: Connection, ids: Collection[UUID]) -> None:
    """Replace the suspects."""
    known = set(read_suspects(connection))
    gone, new = [*known.difference(ids)], [*set(ids) - known]
    for part in _parts(gone):
        connection.execute(delete(suspects).where(suspects.c.notification_id.in_(part)))
    if new:
        connection.execute(insert(suspects), [{"notification_id": id_} for id_ in new])


def among(ids: Sequence[UUID]) -> Iterator[ColumnElement[bool]]:
    """Yield conditions that match these notifications, a few hundred at a time."""
    return (notifications.c.id.in_(part) for part in _parts(ids))


def rows_among(table: Table, ids: Sequence[UUID]) -> Iterator[ColumnElement[bool]]:
    """Yield conditions that match the calls or events of these notifications."""
    return (table.c.notification_id.in_(part) for part in _parts(ids))


def _parts(ids: Sequence[UUID]) -> Iterator[Sequence[UUID]]:
    return (ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE))


def find_miscounts(connection: Connection, hours: range) -> dict[Group, tuple[int, int]]:
    """Return the totals of these hours that differ from their rows, as kept and as counted."""
    columns = notifications.c
    names = ["channel", "lane", "status"]
    group = [hour_column(connection.dialect.name).label("hour"), *(columns[name] for name in names)]
    rows = select(*group, literal(0).label("kept"), func.count().label("counted"))
    rows = rows.where(in_hours(hours), columns.status.in_(SETTLED)).group_by(*group)
    parts = [rows]
    for table, number in ((totals, totals.c.count), (total_changes, total_changes.c.change)):
        kept_of = [table.c[name] for name in ("hour", *names)]
        of_hours = table.c.hour.between(hours.start, hours.stop - 1)
        parts.append(select(*kept_of, number, literal(0)).where(of_hours))
    # One statement, so that it sees each change with its row.
    both = union_all(*parts).subquery("both_")
    kept, counted = func.sum(both.c.kept), func.sum(both.c.counted)
    keys = both.c.hour, both.c.channel, both.c.lane, both.c.status
    query = select(*keys, kept, counted).group_by(*keys).having(kept != counted)
    return {Group(*row[:4]): (int(row[4]), int(row[5])) for row in connection.execute(query)}
