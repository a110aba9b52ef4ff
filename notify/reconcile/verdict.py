"""An operator's decision on a notification with an unknown outcome."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection

from notify.errors import NotifyError
from notify.ledger import GRACE
from notify.message import Outcome, Status
from notify.store import Actor, Store, row_of, write_audit
from notify.store.reconcile import (
    Transition,
    calls_made,
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
    calls: int | None = None,
    now: datetime,
) -> None:
    """
    Apply an operator's decision, and write it to the audit, in one transaction.

    Args:
        id_: The notification's id, the producer's or the row's.
        source: The notification's source, if several sources use the id.
        calls: How many calls the operator has seen; None if it is not known. A finding about an
            earlier call is not applied to a later one.

    Raises:
        NotifyError: The notification is not on record, several sources use the id, its outcome is
            not unknown and no call is left unrecorded, it has had another call since, or it is to
            be sent and its recipient was erased.
        StoreError: The record cannot be used; nothing was changed.
    """
    with store.writing() as connection:
        row = row_of(connection, id_, source=source)
        if row is None:
            raise NotifyError(f"no notification {id_} is on record")
        if calls is not None:
            _require_calls(connection, row, calls, called=id_)
        _decide(connection, row, finding, actor, called=id_, now=now)
    log_decided(row, finding, actor)


def decide_within(
    connection: Connection,
    row: UUID,
    finding: Resolution,
    actor: Actor,
    *,
    now: datetime,
    part_of: Mapping[str, Any] | None = None,
) -> None:
    """
    Apply a decision as `decide` does, in the caller's transaction, which then calls `log_decided`.

    Args:
        row: The row's id.
        part_of: Further details of the audit row.

    Raises:
        NotifyError: As `decide`; the caller must roll back what was written.
    """
    _decide(connection, row, finding, actor, called=row, now=now, part_of=part_of)


def log_decided(row: UUID, finding: Resolution, actor: Actor) -> None:
    """Log an operator's decision that was committed."""
    log.warning("notify.decided", id=str(row), finding=finding.value, actor=actor.name)


def _decide(
    connection: Connection,
    row: UUID,
    finding: Resolution,
    actor: Actor,
    *,
    called: UUID,
    now: datetime,
    part_of: Mapping[str, Any] | None = None,
) -> None:
    reason = f"an operator decided: {finding.value}"
    _require_undecided(connection, row, called=called, now=now)
    if finding is not Resolution.SENT and is_erased(connection, row):
        raise NotifyError(f"the recipient of {called} was erased: it cannot be sent")
    calls = unknown_calls(connection, row)
    match finding:
        case Resolution.SENT:
            settle_call(connection, calls[-1], Outcome.ACCEPTED, reason=reason, now=now)
        case Resolution.NOT_SENT:
            for call in calls:
                settle_call(connection, call, Outcome.NOT_SENT, reason=reason, now=now)
        case Resolution.RESEND:
            again = Transition(Status.QUEUED, reason, due_at=now)
            change_status(connection, row, again, now=now)
    details = {"id": str(row), "finding": finding.value, **(part_of or {})}
    write_audit(connection, actor, "resolve", details=details, at=now)


def _require_calls(connection: Connection, row: UUID, calls: int, *, called: UUID) -> None:
    # Locked, so that no worker claims it between this and the decision.
    lock_status(connection, row)
    now = calls_made(connection, row)
    if now != calls:
        raise NotifyError(
            f"{called} has had {now} calls, and {calls} when you looked: look again, and decide on"
            f" the last one with --calls {now}"
        )


def _require_undecided(connection: Connection, row: UUID, *, called: UUID, now: datetime) -> None:
    """Require an unknown outcome; a call that no worker will record becomes one."""
    status = lock_status(connection, row)
    if status is None:
        raise NotifyError(f"no notification {called} is on record")
    if status is not Status.UNKNOWN and not give_up_lapsed(
        connection, row, long_ago=now - GRACE, now=now
    ):
        raise NotifyError(f"{called} is {status}: there is nothing to decide")
