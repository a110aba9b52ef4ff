"""The changes of one notification's status, and which of them its producer was notified of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, select

from notify.message import Status
from notify.store.tables import events


@dataclass(frozen=True, slots=True)
class PublishedChange:
    """One change of a notification's status, and its event."""

    id: int
    at: datetime
    status: Status
    reason: str | None
    waits: bool
    """Whether its event waits to be published; not every change has an event."""


def read_changes(connection: Connection, notification_id: UUID) -> list[PublishedChange]:
    """Return the changes of one notification, oldest first."""
    columns = events.c
    query = (
        select(columns.id, columns.at, columns.status, columns.reason, columns.to_publish)
        .where(columns.notification_id == notification_id)
        .order_by(columns.id)
    )
    return [
        PublishedChange(row.id, row.at, Status(row.status), row.reason, row.to_publish)
        for row in connection.execute(query)
    ]
