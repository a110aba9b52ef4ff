"""Recording: how each claimed call ended, written only by the worker that still owns it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, insert, select, update

from notify.message import Outcome, Status
from notify.store.tables import attempts, events, notifications


@dataclass(frozen=True, slots=True)
class Record:
    """
    How one call ended.

    Attributes:
        fence: The number under which the notification was claimed.
        status: Where the notification stands now.
        provider_id: The provider's own id of the message, where it took it.
        http_status: The provider's HTTP status, where an answer came.
        code: The vendor's error code, where it gave one.
        reason: Why it was not sent, in words free of personal data.
    """

    notification_id: UUID
    attempt_id: UUID
    ended_at: datetime
    outcome: Outcome
    status: Status
    fence: int = 1
    provider_id: str | None = None
    http_status: int | None = None
    code: str | None = None
    reason: str | None = None


# A bound name may not be a column's: hence the prefixes.
_close = (
    update(attempts)
    .where(attempts.c.id == bindparam("of_attempt"))
    .values(
        ended_at=bindparam("new_time"),
        outcome=bindparam("new_outcome"),
        provider_id=bindparam("new_provider_id"),
        http_status=bindparam("new_http_status"),
        code=bindparam("new_code"),
        reason=bindparam("new_reason"),
    )
)

_settle = (
    update(notifications)
    .where(notifications.c.id == bindparam("of_notification"))
    .values(
        status=bindparam("new_status"),
        reason=bindparam("new_reason"),
        lease_until=None,
        updated_at=bindparam("new_time"),
    )
)


def record(connection: Connection, records: Sequence[Record]) -> set[UUID]:
    """
    Write each record in the caller's transaction.

    Returns:
        The notifications that another worker had taken over: nothing was written for these.
    """
    late = _late(connection, records)
    owned = [record for record in records if record.notification_id not in late]
    if owned:
        changes = [_change(record) for record in owned]
        connection.execute(_settle, changes)
        connection.execute(_close, changes)
        connection.execute(insert(events), [_event(record) for record in owned])
    return late


def _change(record: Record) -> dict[str, Any]:
    return {
        "of_notification": record.notification_id,
        "of_attempt": record.attempt_id,
        "new_time": record.ended_at,
        "new_status": record.status,
        "new_outcome": record.outcome,
        "new_provider_id": record.provider_id,
        "new_http_status": record.http_status,
        "new_code": record.code,
        "new_reason": record.reason,
    }


def _event(record: Record) -> dict[str, Any]:
    return {
        "notification_id": record.notification_id,
        "at": record.ended_at,
        "status": record.status,
        "reason": record.reason,
    }


def _late(connection: Connection, records: Sequence[Record]) -> set[UUID]:
    """Lock the rows in one order and find those whose fence has moved on."""
    columns = notifications.c
    query = (
        select(columns.id, columns.fence, columns.status)
        .where(columns.id.in_([record.notification_id for record in records]))
        .order_by(columns.id)
        .with_for_update()
    )
    held = {row.id: row.fence for row in connection.execute(query) if row.status == Status.SENDING}
    return {
        record.notification_id
        for record in records
        if held.get(record.notification_id) != record.fence
    }
