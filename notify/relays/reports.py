"""Dead letters of reports that an operator replays: published to where they came from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import structlog
from sqlalchemy import Connection

from notify.publisher import Outgoing
from notify.relays.relay import RELAY_LEASE
from notify.store.relays import (
    ReplayedReport,
    lease_reports,
    mark_reports_published,
    release_reports,
)

log = structlog.get_logger("notify.relay")


class ReportRows:
    """Receipts and producers' reports in the archive that are to be published again."""

    batch_size = 100

    def lease(self, connection: Connection, *, now: datetime) -> Sequence[ReplayedReport]:
        """Lease the oldest letters; one that no key opens stays leased."""
        found = lease_reports(connection, now=now, lease=RELAY_LEASE, limit=self.batch_size)
        for row in found:
            if row.sealed is not None:
                log.error("notify.sealed", sealed_with=row.sealed, count=1, id=str(row.letter))
        return found

    def readable(self, row: ReplayedReport) -> bool:
        """Return whether a key of this process opens the letter."""
        return row.sealed is None

    def outgoing(self, row: ReplayedReport) -> Outgoing:
        """Return the message as it came."""
        return Outgoing(
            body=row.body,
            routing_key=row.routing_key,
            message_id=f"letter-{row.letter}",
            exchange=row.exchange,
        )

    def mark(
        self,
        connection: Connection,
        rows: Sequence[ReplayedReport],
        *,
        now: datetime,  # noqa: ARG002
    ) -> None:
        """Mark letters as published."""
        mark_reports_published(connection, rows)

    def release(
        self,
        connection: Connection,
        rows: Sequence[ReplayedReport],
        *,
        now: datetime,  # noqa: ARG002
    ) -> None:
        """End the leases at once."""
        release_reports(connection, rows)
