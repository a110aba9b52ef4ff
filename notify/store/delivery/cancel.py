"""Cancelling notifications that no worker has claimed yet."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, or_, select

from notify.message import Status
from notify.store.ids import known_as, only_source
from notify.store.status_rules import WAITING, Transition
from notify.store.tables import notifications
from notify.store.transitions import transition

REASON = "an operator cancelled it"
BY_SOURCE = "its source cancelled it"


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The result of cancelling; empty if no such id is on record."""

    ids: Sequence[UUID]
    """The cancelled ones, in their batch's order."""
    others: dict[UUID, Status]
    """The statuses of those that could no longer be cancelled."""


def cancel_waiting(
    connection: Connection,
    id_: UUID,
    *,
    source: str | None = None,
    why: str = REASON,
    now: datetime,
) -> Cancelled:
    """
    Cancel a notification, or all of a batch that no worker has claimed.

    A message that is with the broker is acknowledged unsent by the worker that receives it.
    Producers get an event for each; the caller writes the audit.

    Args:
        source: The source of the notification or batch, if several use the id.
        why: The reason on record, which producers read.

    Raises:
        NotifyError: Several sources use the id, and none is named.
    """
    columns = notifications.c
    matching = or_(known_as([id_]), columns.batch_id == id_)
    matching = only_source(connection, matching, source=source)
    return _cancel(connection, matching, why, now=now)


def cancel_rows(connection: Connection, ids: Collection[UUID], *, now: datetime) -> Cancelled:
    """Cancel the notifications of these rows as `cancel_waiting` does."""
    return _cancel(connection, notifications.c.id.in_(ids), REASON, now=now)


def _cancel(
    connection: Connection, matching: ColumnElement[bool], why: str, *, now: datetime
) -> Cancelled:
    columns = notifications.c
    end = Transition(Status.CANCELLED, why)
    done = set(transition(connection, matching, end, among=WAITING, now=now))
    query = select(columns.id, columns.status).where(matching).order_by(columns.position)
    statuses = {row.id: Status(row.status) for row in connection.execute(query)}
    return Cancelled(
        ids=[each for each in statuses if each in done],
        others={each: status for each, status in statuses.items() if each not in done},
    )
