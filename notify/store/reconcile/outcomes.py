"""Settling calls whose answer was lost: by a provider's look-up, a webhook, or a person."""

from __future__ import annotations

import enum
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, func, insert, select, update

from notify.message import Outcome, Status
from notify.store.tables import attempts, events, notifications

WAITING = (Status.UNKNOWN, Status.QUEUED, Status.SCHEDULED)
"""What the news that a message was sent can still keep from being sent again."""


@dataclass(frozen=True, slots=True)
class Transition:
    """Where a notification is to stand, and why."""

    status: Status
    reason: str
    due_at: datetime | None = None
    """When it is taken up again; None where a person decides, or nobody needs to."""


class Settled(enum.Enum):
    """What the news of a call's outcome has changed."""

    MOVED = "moved"
    """Its notification stands elsewhere now."""
    CORRECTED = "corrected"
    """The call's outcome alone: the notification had gone on, or another call is unknown."""
    TWICE = "twice"
    """The call's outcome, and now two calls are known to have sent it."""
    KNOWN = "known"
    """Nothing: there is no such call, or its outcome was known."""


def status_of(connection: Connection, notification_id: UUID) -> Status | None:
    """Read where a notification stands, and keep it there until the transaction ends."""
    status: str | None = connection.execute(
        select(notifications.c.status)
        .where(notifications.c.id == notification_id)
        .with_for_update()
    ).scalar_one_or_none()
    return Status(status) if status is not None else None


def owner_of(connection: Connection, attempt_id: UUID) -> UUID | None:
    """Tell which notification a call was made for; None if there is no such call."""
    owner: UUID | None = connection.execute(
        select(attempts.c.notification_id).where(attempts.c.id == attempt_id)
    ).scalar_one_or_none()
    return owner


def is_erased(connection: Connection, notification_id: UUID) -> bool:
    """Tell whether a notification's recipient was erased, so that it can never be sent."""
    erased = select(notifications.c.id).where(
        notifications.c.id == notification_id, notifications.c.erased_at.is_not(None)
    )
    return connection.execute(erased).first() is not None


def settle(
    connection: Connection,
    attempt_id: UUID,
    outcome: Outcome,
    *,
    reason: str,
    provider_id: str | None = None,
    now: datetime,
) -> Settled:
    """
    Write how a call ended whose answer was lost, and what that means for its notification.

    What was sent is sent, even if it already waits to be sent again. What was not sent is tried
    again at once, unless another call's answer is missing too. A notification that is being sent
    again, or has ended, keeps its status.
    """
    owner = owner_of(connection, attempt_id)
    if owner is None:
        return Settled.KNOWN
    status = status_of(connection, owner)
    assert status is not None  # noqa: S101 - a call is written with its notification
    closed = connection.execute(
        update(attempts)
        .where(attempts.c.id == attempt_id, attempts.c.outcome == Outcome.UNKNOWN)
        .values(outcome=outcome, provider_id=provider_id)
    )
    if not closed.rowcount:
        return Settled.KNOWN
    accepted = _count(connection, owner, Outcome.ACCEPTED)
    if accepted:
        moved = move(connection, owner, Transition(Status.SENT, reason), among=WAITING, now=now)
        if outcome is Outcome.ACCEPTED and accepted > 1:
            told = Transition(Status.SENT if moved else status, "it was sent twice")
            _note(connection, owner, told, now=now)
            return Settled.TWICE
    elif _count(connection, owner, Outcome.UNKNOWN):
        return Settled.CORRECTED
    else:
        moved = move(connection, owner, Transition(Status.QUEUED, reason, due_at=now), now=now)
    return Settled.MOVED if moved else Settled.CORRECTED


def move(
    connection: Connection,
    notification_id: UUID,
    standing: Transition,
    *,
    among: Collection[Status] = (Status.UNKNOWN,),
    held_until: datetime | None = None,
    now: datetime,
) -> bool:
    """
    Let a notification stand elsewhere; tell whether it did.

    What would be sent again and was erased meanwhile is cancelled instead.

    Args:
        among: It must stand in one of these.
        held_until: It must be held until then, by the caller who took it.
    """
    if standing.status is Status.QUEUED and is_erased(connection, notification_id):
        standing = Transition(Status.CANCELLED, "its recipient was erased")
    columns = notifications.c
    conditions = [columns.id == notification_id, columns.status.in_([str(each) for each in among])]
    if held_until is not None:
        conditions.append(columns.relay_until == held_until)
    # Each of these calls may have sent it, and so may the next one.
    doubtful = _calls(notification_id, Outcome.ACCEPTED, Outcome.UNKNOWN).scalar_subquery()
    one_more = 1 if standing.status is Status.QUEUED else 0
    moved = connection.execute(
        update(notifications)
        .where(*conditions)
        .values(
            status=standing.status,
            reason=standing.reason[:255],
            due_at=standing.due_at,
            relay_until=None,
            possible_duplicate=doubtful + one_more > 1,
            updated_at=now,
        )
    )
    if not moved.rowcount:
        return False
    _note(connection, notification_id, standing, now=now)
    return True


def _note(
    connection: Connection, notification_id: UUID, standing: Transition, *, now: datetime
) -> None:
    connection.execute(
        insert(events).values(
            notification_id=notification_id,
            at=now,
            status=standing.status,
            reason=standing.reason[:255],
            to_publish=standing.status.final and standing.due_at is None,
        )
    )


def _count(connection: Connection, notification_id: UUID, outcome: Outcome) -> int:
    return int(connection.execute(_calls(notification_id, outcome)).scalar_one())


def _calls(notification_id: UUID, *outcomes: Outcome) -> Any:
    return select(func.count()).where(
        attempts.c.notification_id == notification_id,
        attempts.c.outcome.in_([str(each) for each in outcomes]),
    )
