"""Refused messages, published as events to their sources by the process of the dead letters."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from notify.contract import RefusedEvent
from notify.publisher import Outgoing
from notify.relays.relay import RELAY_LEASE
from notify.store.relays import (
    PendingRefusal,
    lease_refused,
    mark_refused_published,
    release_refused,
)
from notify.topology import EVENTS


class RefusedRows:
    """Events about refused messages, which wait beside their dead letters."""

    batch_size = 100

    def lease(self, connection: Connection, *, now: datetime) -> Sequence[PendingRefusal]:
        """Lease the oldest events."""
        return lease_refused(connection, now=now, lease=RELAY_LEASE, limit=self.batch_size)

    def readable(self, row: PendingRefusal) -> bool:  # noqa: ARG002 - as every kind of rows is asked
        """Return True: an event is readable without a key."""
        return True

    def outgoing(self, row: PendingRefusal) -> Outgoing:
        """Return an event's message; it is not an error that no queue is bound for it."""
        event = RefusedEvent.model_validate_json(json.dumps(dict(row.event)))
        return Outgoing(
            body=event.model_dump_json().encode(),
            routing_key=event.routing_key,
            message_id=str(event.event_id),
            exchange=EVENTS,
            headers={},
            mandatory=False,
        )

    def mark(
        self,
        connection: Connection,
        rows: Sequence[PendingRefusal],
        *,
        now: datetime,  # noqa: ARG002
    ) -> None:
        """Mark events as published."""
        mark_refused_published(connection, rows)

    def release(
        self,
        connection: Connection,
        rows: Sequence[PendingRefusal],
        *,
        now: datetime,  # noqa: ARG002
    ) -> None:
        """End the leases at once."""
        release_refused(connection, rows)
