"""Due notifications: the record is the only clock, and what has come due goes back to RabbitMQ."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import groupby

import structlog
from sqlalchemy import Connection

from notify.message import Channel, Status
from notify.publisher import Outgoing
from notify.relays.relay import BATCH_SIZE, RELAY_LEASE, Relay
from notify.relays.set_back import SetBackRepair
from notify.store.relays import Due, lease_due, mark_due_published, release_due
from notify.topology import WORK, routing_key

RETRY = timedelta(seconds=5)
"""How long rows that the broker did not confirm, and the rest of their lane, are left out."""
LARGE = 8 * 1024 * 1024
"""Bytes of a batch's bodies from which the next one follows at once."""
RELAYED = (Status.SCHEDULED, Status.QUEUED)
"""Statuses of the notifications that a relay publishes when they are due."""

log = structlog.get_logger("notify.relay")


class DueRows:
    """
    Notifications whose time has come.

    A lane whose queue did not confirm every message is left out for a while, so that it delays no
    other lane.
    """

    lease_length = RELAY_LEASE

    def __init__(self) -> None:
        self._aside: dict[tuple[Channel, str], datetime] = {}
        self.batch_size = BATCH_SIZE

    def lease(self, connection: Connection, *, now: datetime) -> Sequence[Due]:
        """Lease the rows that are overdue for longest, of all lanes that are not left out."""
        # A time further ahead than that was set before the clock was set back.
        self._aside = {
            lane: until for lane, until in self._aside.items() if now < until <= now + RETRY
        }
        rows = lease_due(
            connection,
            RELAYED,
            aside=self._aside,
            now=now,
            lease=self.lease_length,
            limit=BATCH_SIZE,
        )
        # A lease may have fewer rows than there are, since their bodies are large.
        self.batch_size = len(rows) if sum(len(row.body) for row in rows) > LARGE else BATCH_SIZE
        _log_sealed(row for row in rows if row.sealed is not None)
        return rows

    def readable(self, row: Due) -> bool:
        """Return whether a key of this process opens the row."""
        return row.sealed is None

    def outgoing(self, row: Due) -> Outgoing:
        """Return the request for one recipient, under its own id and routing key."""
        return Outgoing(
            body=row.body,
            routing_key=routing_key(row.channel, row.lane, row.source),
            message_id=str(row.public_id),
            exchange=WORK,
            headers={"traceparent": row.traceparent} if row.traceparent else {},
        )

    def mark(self, connection: Connection, rows: Sequence[Due], *, now: datetime) -> None:
        """Mark rows as queued."""
        mark_due_published(connection, rows, now=now)
        for row in rows:
            log.debug("notify.relayed", **row.ids, channel=row.channel, lane=row.lane)

    def release(self, connection: Connection, rows: Sequence[Due], *, now: datetime) -> None:
        """End the leases a little later, and leave the rows' lanes out until then."""
        release_due(connection, rows, until=now + RETRY)
        self._aside.update({(row.channel, row.lane): now + RETRY for row in rows})


def relay_and_repair(relay: Relay[Due], repair: SetBackRepair) -> bool | None:
    """
    Publish one batch of due rows, then repair the times of a set-back clock.

    The repair is tried even if publishing fails. Returns what `Relay.step` returns.
    """
    try:
        return relay.step()
    finally:
        repair.repair()


def _log_sealed(rows: Iterable[Due]) -> None:
    """Log rows that no key of this process opens; they are tried again when their lease ends."""
    for key, group in groupby(rows, key=lambda row: row.sealed):
        ids = [str(row.id) for row in group]
        log.error("notify.sealed", sealed_with=key, count=len(ids), id=ids[0])
