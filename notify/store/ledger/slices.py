"""Slices of the record that the ledger checks one at a time, and what it remembers of them."""

from __future__ import annotations

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
    update,
)

from notify.store.status_rules import SETTLED
from notify.store.tables import (
    checked_hours,
    events,
    notifications,
    suspects,
    total_changes,
    totals,
)
from notify.store.totals import Group, hour_begin, hour_of, open_rows, read_progress

SLICE = 50_000
"""Events or calls in one slice."""
_AT_ONCE = 500


def allow_minutes(connection: Connection) -> None:
    """Raise the timeout of the transaction's statements to ten minutes."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL statement_timeout = '10min'"))


def next_hour(connection: Connection, *, since: datetime | None) -> int | None:
    """Return the hour of the first notification received since then; None if there is none."""
    received = notifications.c.received_at
    query = select(received).order_by(received).limit(1)
    if since is not None:
        query = query.where(received >= since)
    first: datetime | None = connection.execute(query).scalar()
    return None if first is None else hour_of(first)


def in_hour(hour: int) -> ColumnElement[bool]:
    """Match the notifications received in an hour."""
    received = notifications.c.received_at
    return and_(received >= hour_begin(hour), received < hour_begin(hour + 1))


def in_none_of(hours: Iterable[int], *, before: datetime) -> ColumnElement[bool]:
    """Match the notifications received before a time, and in none of these hours."""
    received = notifications.c.received_at < before
    return and_(received, *(not_(in_hour(hour)) for hour in hours))


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


def longest_unchecked(connection: Connection, *, most: int) -> list[int]:
    """Return the checked hours whose check is the oldest."""
    columns = checked_hours.c
    query = select(columns.hour).order_by(columns.checked_at, columns.hour).limit(most)
    return list(connection.execute(query).scalars())


def remember_hour(connection: Connection, hour: int, *, now: datetime) -> None:
    """Record that an hour was checked."""
    of_hour = checked_hours.c.hour == hour
    changed = connection.execute(update(checked_hours).where(of_hour).values(checked_at=now))
    if not changed.rowcount:
        connection.execute(insert(checked_hours).values(hour=hour, checked_at=now))


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


def find_miscounts(connection: Connection, hour: int) -> dict[Group, tuple[int, int]]:
    """Return the totals of an hour that differ from its rows, as kept and as counted."""
    columns = notifications.c
    group = [columns.channel, columns.lane, columns.status]
    rows = select(*group, literal(0).label("kept"), func.count().label("counted"))
    rows = rows.where(in_hour(hour), columns.status.in_(SETTLED)).group_by(*group)
    parts = [rows]
    for table, number in ((totals, totals.c.count), (total_changes, total_changes.c.change)):
        names = [table.c[column.name] for column in group]
        parts.append(select(*names, number, literal(0)).where(table.c.hour == hour))
    # One statement, so that it sees each change with its row.
    both = union_all(*parts).subquery("both_")
    kept, counted = func.sum(both.c.kept), func.sum(both.c.counted)
    keys = both.c.channel, both.c.lane, both.c.status
    query = select(*keys, kept, counted).group_by(*keys).having(kept != counted)
    return {Group(hour, *row[:3]): (int(row[3]), int(row[4])) for row in connection.execute(query)}
