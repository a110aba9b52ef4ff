"""Lost calls and their rivals: the other calls that the found messages may belong to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_, exists, func, select, update

from notify.message import Channel, Outcome, Status
from notify.store.queries import sent_to
from notify.store.relays.due import Due
from notify.store.sealing.row_cipher import cipher_of
from notify.store.status_rules import Transition
from notify.store.tables import attempts, notifications
from notify.store.transitions import transition_quietly


@dataclass(frozen=True, slots=True)
class LostCall:
    """The newest call of a notification whose answer was lost."""

    attempt_id: UUID
    provider: str
    started_at: datetime
    ended_at: datetime
    """When its own worker, or the one that found it, recorded it as unknown."""
    deadline_from: datetime
    """When the lane's deadline began: at the receipt, or at the last replay."""
    spent: int
    """Calls that count against the lane's limit, this one included."""
    sent: bool
    """Whether another call of the same notification is known to have sent it."""


@dataclass(frozen=True, slots=True)
class RivalCalls:
    """Other calls for one recipient, which may have caused the messages that a look-up finds."""

    provider_ids: frozenset[str]
    """The provider's ids that belong to one of them."""
    open: bool
    """Whether one of them is in flight, so that its id is not on record yet."""


def find_lost_call(connection: Connection, notification_id: UUID) -> LostCall | None:
    """Return the newest lost call of a notification; None if there is none."""
    ended_at = func.coalesce(attempts.c.ended_at, attempts.c.started_at).label("ended_at")
    since = func.coalesce(notifications.c.replayed_at, notifications.c.received_at).label("since")
    others = attempts.alias()
    sent = exists().where(
        others.c.notification_id == notification_id, others.c.outcome == Outcome.ACCEPTED
    )
    row = connection.execute(
        select(attempts.c.id, attempts.c.provider, attempts.c.started_at, ended_at)
        .add_columns(since, notifications.c.spent, sent.label("sent"))
        .join(notifications, notifications.c.id == attempts.c.notification_id)
        .where(attempts.c.notification_id == notification_id, _ended(Outcome.UNKNOWN))
        .order_by(attempts.c.number.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    return LostCall(
        row.id, row.provider, row.started_at, row.ended_at, row.since, row.spent, row.sent
    )


def give_up_lapsed(
    connection: Connection, notification_id: UUID, *, long_ago: datetime, now: datetime
) -> bool:
    """
    Record a call as lost that has no outcome, and whose lease passed before *long_ago*.

    Its message may be gone: the record lost the outcome after the message was acknowledged. The
    fence rises, so that a worker that resumes late cannot record anything.

    Returns:
        Whether there was such a call; the notification's status is unknown then.
    """
    columns = notifications.c
    lapsed = and_(columns.id == notification_id, columns.lease_until < long_ago)
    # No event: the caller decides on the notification in the same transaction.
    given_up = transition_quietly(
        connection,
        lapsed,
        Transition(Status.UNKNOWN, None),
        among=[Status.SENDING],
        now=now,
        fence=columns.fence + 1,
    )
    if not given_up:
        return False
    reason = "its outcome was never recorded"
    connection.execute(
        update(attempts)
        .where(attempts.c.notification_id == notification_id, attempts.c.outcome.is_(None))
        .values(outcome=Outcome.UNKNOWN, ended_at=now, reason=reason)
    )
    return True


def unknown_calls(connection: Connection, notification_id: UUID) -> list[UUID]:
    """Return all lost calls of a notification, oldest first."""
    query = (
        select(attempts.c.id)
        .where(attempts.c.notification_id == notification_id, _ended(Outcome.UNKNOWN))
        .order_by(attempts.c.number)
    )
    return list(connection.execute(query).scalars())


def find_rivals(
    connection: Connection, channel: Channel, recipient: str, *, since: datetime, until: datetime
) -> RivalCalls:
    """
    Return the other calls for a recipient in a span of time.

    Rows with unknown outcomes are locked until the transaction ends, so that two look-ups at the
    same time never credit one message to two calls.
    """
    of_channel = notifications.c.channel == channel
    of_recipient = (of_channel, sent_to(recipient, cipher_of(connection)))
    unknown = notifications.c.status == Status.UNKNOWN
    locking = select(notifications.c.id).where(*of_recipient, unknown).order_by(notifications.c.id)
    connection.execute(locking.with_for_update()).all()
    query = (
        select(attempts.c.provider_id, attempts.c.outcome)
        .join(notifications, notifications.c.id == attempts.c.notification_id)
        .where(*of_recipient, attempts.c.started_at.between(since, until))
    )
    calls = connection.execute(query).all()
    return RivalCalls(
        provider_ids=frozenset(call.provider_id for call in calls if call.provider_id),
        open=any(call.outcome is None for call in calls),
    )


def postpone_lookup(connection: Connection, row: Due, *, until: datetime, now: datetime) -> None:
    """Set a later time for a look-up, if the caller still has the lease."""
    columns = notifications.c
    connection.execute(
        update(notifications)
        .where(
            columns.id == row.id,
            columns.status == Status.UNKNOWN,
            columns.relay_until == row.leased_until,
        )
        .values(due_at=until, relay_until=None, updated_at=now)
    )


def _ended(outcome: Outcome) -> ColumnElement[bool]:
    return attempts.c.outcome == outcome
