"""Failover: closing a call and opening the next one under a new claim."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, insert, update

from notify.message import Status
from notify.store.delivery.claims import Entry
from notify.store.delivery.records import Record
from notify.store.suppression import sender_refused
from notify.store.tables import attempts, notifications


def hand_over(
    connection: Connection, ended: Record, following: Entry, *, until: datetime
) -> int | None:
    """
    Close the call that ended and open the next one, under a new claim.

    The fence rises: a worker that missed this commit can neither call nor record.

    Args:
        ended: The outcome of the last call; its status and due time are not used.
        following: The next call.
        until: The end of the new lease.

    Returns:
        The new fence; None if another worker has taken over the notification, or its recipient
        opted out of messages of the next provider's sender.
    """
    asked, sender = following.notification, following.sender
    if sender_refused(connection, asked, sender=sender, now=ended.ended_at):
        return None
    claim = _claim_again(connection, ended, until=until)
    if claim is None:
        return None
    fence, number = claim
    call = {
        "id": following.attempt_id,
        "notification_id": ended.notification_id,
        "provider": following.provider,
        "number": number,
        "started_at": ended.ended_at,
    }
    connection.execute(insert(attempts).values(call))
    connection.execute(
        update(attempts)
        .where(attempts.c.id == ended.attempt_id)
        .values(
            ended_at=ended.ended_at,
            outcome=ended.outcome,
            provider_id=ended.provider_id,
            http_status=ended.http_status,
            code=ended.code,
            reason=ended.reason,
        )
    )
    return fence


def _claim_again(
    connection: Connection, ended: Record, *, until: datetime
) -> tuple[int, int] | None:
    """Extend the claim under a new fence; return the fence and the number of calls."""
    columns = notifications.c
    claimed = connection.execute(
        update(notifications)
        .where(
            columns.id == ended.notification_id,
            columns.fence == ended.fence,
            columns.status == Status.SENDING,
        )
        .values(
            fence=columns.fence + 1,
            attempts=columns.attempts + 1,
            spent=ended.spent,
            lease_until=until,
            updated_at=ended.ended_at,
        )
        .returning(columns.fence, columns.attempts)
    ).one_or_none()
    return (int(claimed.fence), int(claimed.attempts)) if claimed else None
