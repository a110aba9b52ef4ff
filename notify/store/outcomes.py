"""Deciding on unknown outcomes later: by a provider's look-up, a webhook, or a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, insert, literal, or_, select, update

from notify.message import Outcome, Status
from notify.store.tables import attempts, events, notifications


@dataclass(frozen=True, slots=True)
class Resolution:
    """What came to be known of one call."""

    attempt_id: UUID
    outcome: Outcome
    status: Status
    """Where that leaves the notification."""
    reason: str | None = None
    provider_id: str | None = None
    due_at: datetime | None = None
    possible_duplicate: bool = False


def resolve(connection: Connection, resolution: Resolution, *, now: datetime) -> bool:
    """
    Settle one call whose outcome was unknown; tell whether its notification still waited for it.

    A notification that has been taken up again meanwhile keeps its status: only the call's own
    outcome is corrected.
    """
    row = connection.execute(
        update(attempts)
        .where(attempts.c.id == resolution.attempt_id, attempts.c.outcome == Outcome.UNKNOWN)
        .values(outcome=resolution.outcome, provider_id=resolution.provider_id)
        .returning(attempts.c.notification_id)
    ).one_or_none()
    if row is None:
        return False
    settled = connection.execute(
        update(notifications)
        .where(notifications.c.id == row.notification_id, notifications.c.status == Status.UNKNOWN)
        .values(
            status=resolution.status,
            reason=resolution.reason,
            due_at=resolution.due_at,
            relay_until=None,
            possible_duplicate=or_(
                notifications.c.possible_duplicate, literal(resolution.possible_duplicate)
            ),
            updated_at=now,
        )
    )
    if not settled.rowcount:
        return False
    final = resolution.status.final and resolution.due_at is None
    connection.execute(
        insert(events).values(
            notification_id=row.notification_id,
            at=now,
            status=resolution.status,
            reason=resolution.reason,
            to_publish=final,
        )
    )
    return True


def last_unknown(connection: Connection, notification_id: UUID) -> UUID | None:
    """Find the newest call of a notification whose outcome is unknown."""
    return connection.execute(
        select(attempts.c.id)
        .where(
            attempts.c.notification_id == notification_id,
            attempts.c.outcome == Outcome.UNKNOWN,
        )
        .order_by(attempts.c.number.desc())
        .limit(1)
    ).scalar_one_or_none()
