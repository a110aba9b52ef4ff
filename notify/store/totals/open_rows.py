"""
Open notifications: deferred, in flight, or with an unknown outcome.

An index has those that are marked `unsettled`. A first call is not marked, so that its end changes
no indexed column; its row is found by its receipt, which is recent. `sweep` marks the exceptions,
such as the calls of a killed worker, and `mark_late` those that were committed late.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_, select, update

from notify.message import Status
from notify.store.status_rules import OPEN, SETTLED
from notify.store.tables import notifications
from notify.store.totals.progress import Progress, read_progress, write_progress

RECENT = timedelta(seconds=10)
"""The age of first calls that the sweep marks; most have ended by then."""
LATE = 5.0
"""
Seconds that a claim's commit may take; one that took longer marks its own first calls, since the
sweep may have passed them.
"""
_SWEPT = 50_000
"""Notifications that are swept in one transaction."""
_FIRST_CALL = (Status.SENDING,)


def open_rows(progress: Progress) -> Sequence[ColumnElement[bool]]:
    """Return the conditions of open rows; no row matches two, and each has an index."""
    columns = notifications.c
    # Also a status that does not exist: the ledger reports it.
    marked = and_(columns.unsettled.is_(True), columns.status.not_in(SETTLED))
    first_call = [_unmarked(_FIRST_CALL)]
    if progress.swept_until is not None:
        first_call.append(columns.received_at >= progress.swept_until)
    return marked, and_(*first_call)


def sweep(connection: Connection, *, now: datetime) -> bool:
    """
    Mark the rows that are still in their first call; return whether to continue at once.

    It waits for no row: one that a worker is writing is found by the next sweep.
    """
    progress = read_progress(connection, lock=True)
    if not progress.totals_ready:
        # The ledger marks all rows, hour by hour, while it counts the totals.
        return False
    last = now - RECENT
    since = progress.swept_until
    if since is not None and since > now:
        # The clock was set back.
        since = None
    first = first_received(connection, since=since)
    following = None if first is None else first_received(connection, since=first, offset=_SWEPT)
    until = last if following is None else min(last, following)
    if since is not None and until <= since:
        return False
    if first is not None and not mark_open(connection, _FIRST_CALL, since=first, until=until):
        return False
    write_progress(connection, replace(progress, swept_until=until))
    return until < last


def first_received(
    connection: Connection, *, since: datetime | None, offset: int = 0
) -> datetime | None:
    """Return when the first notification since then was received, or one after *offset* others."""
    received = notifications.c.received_at
    query = select(received).order_by(received).offset(offset).limit(1)
    found: datetime | None = connection.execute(
        query if since is None else query.where(received >= since)
    ).scalar()
    return found


def mark_late(connection: Connection, ids: Collection[UUID]) -> None:
    """Mark those of these rows that are in their first call."""
    rows = update(notifications).where(notifications.c.id.in_(ids), _unmarked(_FIRST_CALL))
    connection.execute(rows.values(unsettled=True))


def mark_open(
    connection: Connection,
    statuses: Collection[Status] = OPEN,
    *,
    since: datetime,
    until: datetime,
) -> bool:
    """Mark the open rows received within a span; return whether all were."""
    columns = notifications.c
    unmarked = _unmarked(statuses)
    query = select(columns.id).where(
        columns.received_at >= since, columns.received_at < until, unmarked
    )
    found: list[UUID] = list(connection.execute(query).scalars())
    if not found:
        return True
    of_found = select(columns.id).where(columns.id.in_(found), unmarked)
    of_found = of_found.with_for_update(skip_locked=True)
    locked: list[UUID] = list(connection.execute(of_found).scalars())
    if locked:
        marked = update(notifications).where(columns.id.in_(locked)).values(unsettled=True)
        connection.execute(marked)
    return len(locked) == len(found)


def _unmarked(statuses: Collection[Status]) -> ColumnElement[bool]:
    return and_(notifications.c.status.in_(statuses), notifications.c.unsettled.is_(None))
