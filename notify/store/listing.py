"""Lists and counts of notifications, newest first, without reading the whole record."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_, func, select, true

from notify.message import Status
from notify.store.db.clock import Moment, moment, read_clock
from notify.store.queries import SUMMARY, Filter, Summary, sent_to, summary_of
from notify.store.sealing.row_cipher import RowCipher, cipher_of
from notify.store.status_rules import OPEN
from notify.store.tables import notifications
from notify.store.totals import CountFilter, count_groups, open_rows, read_progress, settled_spans


def find(connection: Connection, wanted: Filter, *, limit: int) -> list[Summary]:
    """Return the newest notifications that match, newest first."""
    found: list[Summary] = []
    for group in _where_to_look(connection, wanted, limit=limit):
        parts = [_find(connection, wanted, condition, limit=limit) for condition in group]
        found += sorted((each for part in parts for each in part), key=_order)
        if len(found) >= limit:
            break
    return found[:limit]


def find_ids(connection: Connection, wanted: Filter, *, limit: int) -> list[UUID]:
    """Return the row ids of the newest notifications that match, newest first."""
    columns = notifications.c
    conditions = list(_conditions(wanted, cipher_of(connection)))
    query = select(columns.id, columns.received_at, columns.position).where(*conditions)
    query = query.order_by(columns.received_at.desc(), columns.position, columns.id).limit(limit)
    found: list[UUID] = []
    for group in _where_to_look(connection, wanted, limit=limit):
        rows = [row for condition in group for row in connection.execute(query.where(condition))]
        rows.sort(key=lambda row: (-row.received_at.timestamp(), row.position, row.id))
        found += [row.id for row in rows]
        if len(found) >= limit:
            break
    return found[:limit]


def _where_to_look(
    connection: Connection, wanted: Filter, *, limit: int
) -> Iterator[Sequence[ColumnElement[bool]]]:
    """
    Yield conditions under which to look for a status, each with an index; the newest rows first.

    Those that are yielded together are independent of each other's order.
    """
    progress = read_progress(connection)
    if wanted.status is None or wanted.has_key or not progress.totals_ready:
        yield [true()]
    elif wanted.status in OPEN:
        yield open_rows(progress)
    else:
        received = notifications.c.received_at
        counted = _counted(connection, wanted)
        most = limit if wanted.is_counted else sys.maxsize
        for since, until in settled_spans(connection, counted, limit=most):
            yield [and_(received >= since, received < until)]


def _find(
    connection: Connection, wanted: Filter, condition: ColumnElement[bool], *, limit: int
) -> Iterator[Summary]:
    columns = notifications.c
    cipher = cipher_of(connection)
    query = select(*SUMMARY).where(*_conditions(wanted, cipher), condition)
    query = query.order_by(columns.received_at.desc(), columns.position, columns.id).limit(limit)
    return (summary_of(row, cipher) for row in connection.execute(query))


def _order(one: Summary) -> tuple[float, int, UUID]:
    return -one.received_at.timestamp(), one.position, one.id


def count(connection: Connection, wanted: Filter) -> dict[Status, int]:
    """Count the notifications that match, by status."""
    if wanted.is_counted:
        counts: Counter[Status] = Counter()
        for group in count_groups(connection, _counted(connection, wanted)):
            counts[Status(group.status)] += group.count
        return {status: number for status, number in counts.items() if number}
    query = (
        select(notifications.c.status, func.count())
        .where(*_conditions(wanted, cipher_of(connection)))
        .group_by(notifications.c.status)
    )
    return {Status(row[0]): int(row[1]) for row in connection.execute(query)}


def _counted(connection: Connection, wanted: Filter) -> CountFilter:
    return CountFilter(
        channel=wanted.channel,
        lane=wanted.lane,
        status=wanted.status,
        since=_time(connection, wanted.since),
        until=_time(connection, wanted.until),
    )


def _time(connection: Connection, when: Moment | None) -> datetime | None:
    if isinstance(when, timedelta):
        return datetime.fromtimestamp(read_clock(connection), UTC) - when
    return when


def _conditions(wanted: Filter, cipher: RowCipher) -> Iterator[ColumnElement[bool]]:
    for name in ("channel", "lane", "source", "status", "template", "category", "batch_id"):
        value = getattr(wanted, name)
        if value is not None:
            yield notifications.c[name] == value
    if wanted.recipient is not None:
        yield sent_to(wanted.recipient, cipher)
    if wanted.since is not None:
        yield notifications.c.received_at >= moment(wanted.since)
    if wanted.until is not None:
        yield notifications.c.received_at < moment(wanted.until)
