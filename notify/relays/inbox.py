"""Receipts that the web intake stored while the broker was away."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import structlog
from sqlalchemy import Connection

from notify.publisher import Outgoing
from notify.relays.relay import RELAY_LEASE
from notify.store.relays import PendingReceipts, delete_from_inbox, lease_inbox, release_inbox
from notify.topology import RECEIPTS

log = structlog.get_logger("notify.relay")


class InboxRows:
    """Messages of receipts, oldest first. After a crash one is published again under its id."""

    batch_size = 50

    def lease(self, connection: Connection, *, now: datetime) -> Sequence[PendingReceipts]:
        """Lease the oldest messages."""
        rows = lease_inbox(connection, now=now, lease=RELAY_LEASE, limit=self.batch_size)
        for row in rows:
            if row.sealed is not None:
                log.error("notify.receipts_sealed", sealed_with=row.sealed)
        return rows

    def readable(self, row: PendingReceipts) -> bool:
        """Return whether a key of this process opens the message."""
        return row.sealed is None

    def outgoing(self, row: PendingReceipts) -> Outgoing:
        """Return a message of receipts, as the intake would have published it."""
        return Outgoing(
            body=row.body,
            routing_key=row.routing_key,
            message_id=str(row.message_id),
            exchange=RECEIPTS,
        )

    def mark(
        self,
        connection: Connection,
        rows: Sequence[PendingReceipts],
        *,
        now: datetime,  # noqa: ARG002
    ) -> None:
        """Delete published messages."""
        delete_from_inbox(connection, [row.id for row in rows])

    def release(
        self,
        connection: Connection,
        rows: Sequence[PendingReceipts],
        *,
        now: datetime,  # noqa: ARG002
    ) -> None:
        """End the leases at once."""
        release_inbox(connection, [row.id for row in rows])
