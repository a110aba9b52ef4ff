"""An operator's decision on a notification with an unknown outcome."""

from __future__ import annotations

import enum
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import Connection

from notify.errors import NotifyError
from notify.ledger import GRACE
from notify.message import Outcome, Status
from notify.store import Actor, Store, row_of, write_audit
from notify.store.reconcile import (
    Transition,
    change_status,
    give_up_lapsed,
    is_erased,
    lock_status,
    settle_call,
    unknown_calls,
)

log = structlog.get_logger("notify.reconcile")


class Resolution(enum.StrEnum):
    """An operator's finding, or decision."""

    SENT = "sent"
    """It was sent."""
    NOT_SENT = "not-sent"
    """It was certainly not sent: it is retried."""
    RESEND = "resend"
    """It is still unknown: it is sent again, marked as a possible duplicate."""


def decide(
    store: Store,
    id_: UUID,
    finding: Resolution,
    actor: Actor,
    *,
    source: str | None = None,
    now: datetime,
) -> None:
    """
    Apply an operator's decision, and write it to the audit, in one transaction.

    Args:
        id_: The notification's id, the producer's or the row's.
        source: The notification's source, if several sources use the id.

    Raises:
        NotifyError: The notification is not on record, several sources use the id, its outcome is
            not unknown and no call is left unrecorded, or it is to be sent and its recipient was
            erased.
        StoreError: The record cannot be used; nothing was changed.
    """
    reason = f"an operator decided: {finding.value}"
    with store.writing() as connection:
        notification_id = _undecided(connection, id_, source=source, now=now)
        if finding is not Resolution.SENT and is_erased(connection, notification_id):
            raise NotifyError(f"the recipient of {id_} was erased: it cannot be sent")
        calls = unknown_calls(connection, notification_id)
        match finding:
            case Resolution.SENT:
                settle_call(connection, calls[-1], Outcome.ACCEPTED, reason=reason, now=now)
            case Resolution.NOT_SENT:
                for call in calls:
                    settle_call(connection, call, Outcome.NOT_SENT, reason=reason, now=now)
            case Resolution.RESEND:
                again = Transition(Status.QUEUED, reason, due_at=now)
                change_status(connection, notification_id, again, now=now)
        details = {"id": str(notification_id), "finding": finding.value}
        write_audit(connection, actor, "resolve", details=details, at=now)
    log.warning("notify.decided", id=str(notification_id), finding=finding.value, actor=actor.name)


def _undecided(connection: Connection, id_: UUID, *, source: str | None, now: datetime) -> UUID:
    """Return the row of an unknown outcome; a call that no worker will record becomes one."""
    notification_id = row_of(connection, id_, source=source)
    status = notification_id and lock_status(connection, notification_id)
    if notification_id is None or status is None:
        raise NotifyError(f"no notification {id_} is on record")
    if status is not Status.UNKNOWN and not give_up_lapsed(
        connection, notification_id, long_ago=now - GRACE, now=now
    ):
        raise NotifyError(f"{id_} is {status}: there is nothing to decide")
    return notification_id
