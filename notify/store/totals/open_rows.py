"""
Open notifications: deferred, in flight, or with an unknown outcome.

An index has those that are marked `unsettled`. A first call is not marked, so that its end changes
no indexed column; its row is found by its receipt, which is recent. `sweep` marks the exceptions,
such as the calls of a killed worker.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_, select, update

from notify.message import Status
from notify.store.status_rules import OPEN
from notify.store.tables import notifications
from notify.store.totals.progress import Progress, read_progress, write_progress

RECENT = timedelta(seconds=60)
"""After so long a claim is committed, and most first calls have ended."""
_SETTLED = [str(each) for each in Status if each not in OPEN]
_SPAN = timedelta(hours=1)
"""The longest span of receipt that is swept in one transaction."""


def open_rows(progress: Progress) -> Sequence[ColumnElement[bool]]:
    """Return the conditions of open rows; no row matches two, and each has an index."""
    columns = notifications.c
    # Also a status that does not exist: the ledger reports it.
    marked = and_(columns.unsettled.is_(True), columns.status.not_in(_SETTLED))
    first_call = [columns.status == Status.SENDING, columns.unsettled.is_(None)]
    if progress.swept_until is not None:
        first_call.append(columns.received_at >= progress.swept_until)
    return marked, and_(*first_call)


def sweep(connection: Connection, *, now: datetime) -> bool:
    """
    Mark the rows that are still in their first call; return whether to continue at once.

    It waits for no row: one that a worker is writing is found by the next sweep.
    """
    progress = read_progress(connection, lock=True)
    columns = notifications.c
    since = progress.swept_until
    if since is None or since > now:
        since = connection.execute(
            select(columns.received_at).order_by(columns.received_at).limit(1)
        ).scalar()
    until = now - RECENT
    if since is not None:
        until = min(until, since + _SPAN)
    if since is not None and until <= since:
        return False
    if since is None or _mark(connection, since=since, until=until):
        write_progress(connection, replace(progress, swept_until=until))
        return until < now - RECENT
    return False


def _mark(connection: Connection, *, since: datetime, until: datetime) -> bool:
    """Mark the rows received within a span; return whether all were."""
    columns = notifications.c
    query = select(columns.id).where(
        columns.received_at >= since,
        columns.received_at < until,
        columns.status == Status.SENDING,
        columns.unsettled.is_(None),
    )
    found: list[UUID] = list(connection.execute(query).scalars())
    if not found:
        return True
    of_found = select(columns.id).where(columns.id.in_(found), columns.status == Status.SENDING)
    locked: list[UUID] = list(
        connection.execute(of_found.with_for_update(skip_locked=True)).scalars()
    )
    if locked:
        marked = update(notifications).where(columns.id.in_(locked)).values(unsettled=True)
        connection.execute(marked)
    return len(locked) == len(found)
