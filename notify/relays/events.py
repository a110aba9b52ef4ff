"""Status changes, published as events for the producers that subscribe."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from notify.publisher import Outgoing
from notify.relays.relay import BATCH_SIZE, RELAY_LEASE
from notify.store.relays import PendingEvent, lease_events, mark_events_published, release_events
from notify.topology import EVENTS


class EventRows:
    """
    Status changes in the order in which they were recorded.

    Each row was written in the transaction that changed the status, so no change is without its
    event. After a crash an event is published again under the same id.
    """

    batch_size = BATCH_SIZE

    def lease(self, connection: Connection, *, now: datetime) -> Sequence[PendingEvent]:
        """Lease the oldest events."""
        return lease_events(connection, now=now, lease=RELAY_LEASE, limit=BATCH_SIZE)

    def readable(self, row: PendingEvent) -> bool:  # noqa: ARG002 - as every kind of rows is asked
        """Return True: an event is readable without a key."""
        return True

    def outgoing(self, row: PendingEvent) -> Outgoing:
        """Return an event's message; it is not an error that no queue is bound for it."""
        return event_message(row)

    def mark(self, connection: Connection, rows: Sequence[PendingEvent], *, now: datetime) -> None:  # noqa: ARG002
        """Mark events as published."""
        mark_events_published(connection, rows)

    def release(
        self,
        connection: Connection,
        rows: Sequence[PendingEvent],
        *,
        now: datetime,  # noqa: ARG002
    ) -> None:
        """End the leases at once."""
        release_events(connection, rows)


def event_message(row: PendingEvent) -> Outgoing:
    """Return an event's message."""
    event = row.event
    return Outgoing(
        body=event.model_dump_json().encode(),
        routing_key=event.routing_key,
        message_id=str(event.event_id),
        exchange=EVENTS,
        headers={"traceparent": row.traceparent} if row.traceparent else {},
        mandatory=False,
    )
