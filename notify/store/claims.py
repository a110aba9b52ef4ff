"""Claiming: the one conditional write that makes a worker the owner of a notification."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, insert, select, tuple_, update

from notify.message import Notification, Outcome, Status
from notify.store.tables import attempts, events, notifications


@dataclass(frozen=True, slots=True)
class Entry:
    """
    What a worker wants recorded before it acts: a call to make, or an end without a call.

    Attributes:
        status: `Status.SENDING` to claim the notification for a call, else its final status.
        attempt_id: The call's id; None where none is to be made.
        provider: Whom the call would reach; None where none is to be made.
        reason: Why it ended without a call.
    """

    notification: Notification
    status: Status
    attempt_id: UUID | None = None
    provider: str | None = None
    reason: str | None = None


class Claim(enum.Enum):
    """What the record answered."""

    OWNED = "owned"
    """Written: the caller goes on."""
    DUPLICATE = "duplicate"
    """It has already ended; nothing is to be done."""
    BUSY = "busy"
    """Another worker is on it and its lease has not passed."""
    CONFLICT = "conflict"
    """The same key or id stands for another request."""
    UNKNOWN = "unknown"
    """Another worker began a call, its lease passed, and nobody knows how the call ended."""


def examine(
    connection: Connection, known: Sequence[Notification], *, now: datetime
) -> dict[UUID, Claim]:
    """Tell, in the caller's transaction, what stands in the way of each known notification."""
    rows = _find(connection, known)
    found = [(rows.get(notification.key), notification.digest) for notification in known]
    lapsed = [row.id for row, digest in found if row and row.digest == digest and _over(row, now)]
    _give_up(connection, lapsed, now=now)
    return {notification.id: _answer(notification, rows, lapsed) for notification in known}


_Key = tuple[str, str, int]


def _find(connection: Connection, wanted: Sequence[Notification]) -> dict[_Key, Row[Any]]:
    """Read the rows that stood in the way, locked until the transaction ends."""
    columns = notifications.c
    key = (columns.source, columns.idempotency_key, columns.position)
    query = (
        select(columns.id, *key, columns.digest, columns.status, columns.lease_until)
        .where(tuple_(*key).in_([notification.key for notification in wanted]))
        .order_by(columns.id)
        .with_for_update()
    )
    return {
        (row.source, row.idempotency_key, row.position): row for row in connection.execute(query)
    }


def _over(row: Row[Any], now: datetime) -> bool:
    """Tell whether a call is open whose worker ought to have come back."""
    return row.status == Status.SENDING and row.lease_until is not None and row.lease_until <= now


def _answer(
    notification: Notification, rows: Mapping[_Key, Row[Any]], lapsed: Sequence[UUID]
) -> Claim:
    row = rows.get(notification.key)
    # No row under its key: it is its id that is taken, by some other request.
    if row is None or row.digest != notification.digest:
        return Claim.CONFLICT
    if row.id in lapsed:
        return Claim.UNKNOWN
    if row.status == Status.SENDING:
        return Claim.BUSY
    return Claim.DUPLICATE


def _give_up(connection: Connection, lapsed: Sequence[UUID], *, now: datetime) -> None:
    """Close attempts whose worker never came back: the call may have been made."""
    if not lapsed:
        return
    reason = "the worker that made the call never recorded its outcome"
    connection.execute(
        update(attempts)
        .where(attempts.c.notification_id.in_(lapsed), attempts.c.outcome.is_(None))
        .values(outcome=Outcome.UNKNOWN, ended_at=now, reason=reason)
    )
    connection.execute(
        update(notifications)
        .where(notifications.c.id.in_(lapsed))
        .values(
            status=Status.UNKNOWN,
            reason=reason,
            # A worker that wakes up later holds the old fence and cannot record any more.
            fence=notifications.c.fence + 1,
            lease_until=None,
            updated_at=now,
        )
    )
    connection.execute(
        insert(events),
        [
            {"notification_id": id_, "at": now, "status": Status.UNKNOWN, "reason": reason}
            for id_ in lapsed
        ],
    )
