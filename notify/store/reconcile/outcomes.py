"""Settling lost calls: by a provider's look-up, a webhook, or an operator."""

from __future__ import annotations

import enum
from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, and_, func, select, update

from notify.message import Outcome, Status
from notify.store.status_rules import WAITING, Transition
from notify.store.tables import attempts, notifications
from notify.store.transitions import record_events, transition

NOT_RESENT = (Status.UNKNOWN, *WAITING)
"""Statuses in which a notification can still be kept from being sent again."""


class Settled(enum.Enum):
    """The effect of a call's outcome on the record."""

    CHANGED = "moved"
    """The outcome, and the status of its notification."""
    CORRECTED = "corrected"
    """Only the outcome: the status had changed already, or another call is unknown."""
    TWICE = "twice"
    """The outcome; two calls are known to have sent it."""
    KNOWN = "known"
    """Nothing: there is no such call, or its outcome was known already."""


def lock_status(connection: Connection, notification_id: UUID) -> Status | None:
    """Lock a notification until the transaction ends, and return its status; None if unknown."""
    status: str | None = connection.execute(
        select(notifications.c.status)
        .where(notifications.c.id == notification_id)
        .with_for_update()
    ).scalar_one_or_none()
    return Status(status) if status is not None else None


def calls_made(connection: Connection, notification_id: UUID) -> int:
    """Return how many calls a notification had that were made, or begun; 0 if it is unknown."""
    made = select(notifications.c.attempts).where(notifications.c.id == notification_id)
    found: int | None = connection.execute(made).scalar_one_or_none()
    return found or 0


def notification_of(connection: Connection, attempt_id: UUID) -> UUID | None:
    """Return the notification of a call; None if there is no such call."""
    owner: UUID | None = connection.execute(
        select(attempts.c.notification_id).where(attempts.c.id == attempt_id)
    ).scalar_one_or_none()
    return owner


def is_erased(connection: Connection, notification_id: UUID) -> bool:
    """Return whether a notification's recipient was erased, so that it can never be sent."""
    erased = select(notifications.c.id).where(
        notifications.c.id == notification_id, notifications.c.erased_at.is_not(None)
    )
    return connection.execute(erased).first() is not None


def settle_call(
    connection: Connection,
    attempt_id: UUID,
    outcome: Outcome,
    *,
    reason: str,
    provider_id: str | None = None,
    now: datetime,
) -> Settled:
    """
    Write the outcome of a lost call, and change the status of its notification accordingly.

    If the call sent it, the status is sent, even if the notification waits to be sent again. If
    not, it is retried at once, unless another of its calls is unknown. A notification that is being
    sent again, or has ended, keeps its status.
    """
    owner = notification_of(connection, attempt_id)
    if owner is None:
        return Settled.KNOWN
    status = lock_status(connection, owner)
    assert status is not None  # noqa: S101 - a call is written with its notification
    closed = connection.execute(
        update(attempts)
        .where(attempts.c.id == attempt_id, attempts.c.outcome == Outcome.UNKNOWN)
        .values(outcome=outcome, provider_id=provider_id)
    )
    if not closed.rowcount:
        return Settled.KNOWN
    if accepted := _count(connection, owner, Outcome.ACCEPTED):
        sent = Transition(Status.SENT, reason)
        changed = change_status(connection, owner, sent, among=NOT_RESENT, now=now)
        if outcome is Outcome.ACCEPTED and accepted > 1:
            remark = Transition(Status.SENT if changed else status, "it was sent twice")
            record_events(connection, [owner], remark, now=now)
            return Settled.TWICE
    elif _count(connection, owner, Outcome.UNKNOWN):
        return Settled.CORRECTED
    else:
        retry = Transition(Status.QUEUED, reason, due_at=now)
        changed = change_status(connection, owner, retry, now=now)
    return Settled.CHANGED if changed else Settled.CORRECTED


def change_status(
    connection: Connection,
    notification_id: UUID,
    to: Transition,
    *,
    among: Collection[Status] = (Status.UNKNOWN,),
    leased_until: datetime | None = None,
    now: datetime,
) -> bool:
    """
    Change the status of one notification, and return whether it was changed.

    One that would be sent again, but whose recipient was erased, is cancelled instead.

    Args:
        among: The statuses it may have.
        leased_until: If given, the caller's lease, which must still be the row's.
    """
    if to.status is Status.QUEUED and is_erased(connection, notification_id):
        to = Transition(Status.CANCELLED, "its recipient was erased")
    columns = notifications.c
    row = columns.id == notification_id
    if leased_until is not None:
        row = and_(row, columns.relay_until == leased_until)
    # Each of these calls may have sent it, and so may the next one.
    doubtful = _calls(notification_id, Outcome.ACCEPTED, Outcome.UNKNOWN).scalar_subquery()
    one_more = 1 if to.status is Status.QUEUED else 0
    twice = doubtful + one_more > 1
    return bool(transition(connection, row, to, among=among, now=now, possible_duplicate=twice))


def _count(connection: Connection, notification_id: UUID, outcome: Outcome) -> int:
    return int(connection.execute(_calls(notification_id, outcome)).scalar_one())


def _calls(notification_id: UUID, *outcomes: Outcome) -> Any:
    return select(func.count()).where(
        attempts.c.notification_id == notification_id,
        attempts.c.outcome.in_([str(each) for each in outcomes]),
    )
