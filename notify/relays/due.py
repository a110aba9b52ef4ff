"""The relay: the record is the only clock, and what has come due goes back to RabbitMQ.

One runs in every worker process. Together they publish each due notification once: rows are
taken under a lock that the others skip, and held for a while in case their relay dies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import groupby

import structlog

from notify.message import Channel, Status
from notify.periodic import PeriodicThread
from notify.publisher import Outgoing, Publisher, PublishResult
from notify.store import Store
from notify.store.db import correct_waits
from notify.store.relays import Due, lease_due
from notify.store.relays.due import mark_due_published, release_due
from notify.topology import WORK, routing_key

PERIOD = 0.5
"""Seconds between two looks at the record while nothing is due."""
HOLD = timedelta(seconds=60)
"""How long a relay may take to publish what it took."""
RETRY = timedelta(seconds=5)
"""How long what the broker did not take is left alone."""
BATCH_SIZE = 500
AWAITED = (Status.SCHEDULED, Status.QUEUED)

log = structlog.get_logger("notify.relay")


class Relay:
    """Publishes due notifications, confirmed, from a thread of its own."""

    def __init__(
        self,
        store: Store,
        publisher: Publisher,
        *,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._clock = clock or store.clock
        self._aside: dict[tuple[Channel, str], datetime] = {}
        # How many steps back of the database's clock were seen to.
        self._righted: int | None = None
        self._looking = PeriodicThread("relay", self._look)

    def start(self) -> None:
        """Begin to look."""
        self._looking.start()

    def stop(self, *, timeout: float) -> None:
        """Finish what is in hand, for *timeout* seconds at most."""
        self._looking.stop(timeout=timeout)

    def _look(self) -> float:
        try:
            return 0.0 if self.relay() == BATCH_SIZE else PERIOD
        finally:
            # Neither may keep the other from being tried.
            self.right()

    def right(self) -> None:
        """
        Let nothing wait longer because the database's clock was set back.

        It looks at the start, and when a step back was noticed.

        Raises:
            StoreError: The record cannot be used; it looks again.
        """
        now, set_backs = self._clock(), self._store.clock.set_backs
        if set_backs == self._righted:
            return
        count = BATCH_SIZE
        while count >= BATCH_SIZE:
            with self._store.writing() as connection:
                count = correct_waits(connection, now=now, limit=BATCH_SIZE)
            if count:
                log.warning("notify.clock_set_back", count=count)
        self._righted = set_backs

    def relay(self) -> int:
        """
        Publish one handful of what is due; give how many.

        A lane whose queue did not take all is left out for a while: it holds up no other.

        Raises:
            PublishError: Why the broker did not take one; that and the others like it stay due.
            StoreError: The record cannot be used. What was published is published again later,
                and recognised by its id.
        """
        now = self._clock()
        # A time that is further ahead was set before the clock was set back.
        self._aside = {
            lane: until for lane, until in self._aside.items() if now < until <= now + RETRY
        }
        with self._store.writing() as connection:
            due = lease_due(
                connection, AWAITED, aside=self._aside, now=now, hold=HOLD, limit=BATCH_SIZE
            )
        if not due:
            return 0
        readable = [row for row in due if row.sealed is None]
        tell_sealed(row for row in due if row.sealed is not None)
        handful = PublishResult.publish(readable, self._publisher, outgoing=outgoing)
        with self._store.writing() as connection:
            now = self._clock()
            mark_due_published(connection, handful.taken, now=now)
            release_due(connection, handful.left, until=now + RETRY)
        for row in handful.taken:
            log.debug("notify.relayed", **row.ids, channel=row.channel, lane=row.lane)
        self._aside.update({(row.channel, row.lane): now + RETRY for row in handful.left})
        if handful.error is not None:
            raise handful.error
        return len(due)


def tell_sealed(rows: Iterable[Due]) -> None:
    """Log what this process's keyring does not open; held for a while, it is tried again then."""
    for key, group in groupby(rows, key=lambda row: row.sealed):
        ids = [str(row.id) for row in group]
        log.error("notify.sealed", sealed_with=key, count=len(ids), id=ids[0])


def outgoing(row: Due) -> Outgoing:
    """Make a message of a row: the request for one recipient, under its own id and key."""
    headers = {"traceparent": row.traceparent} if row.traceparent else {}
    return Outgoing(
        body=row.body,
        routing_key=routing_key(row.channel, row.lane, row.source),
        message_id=str(row.public_id),
        exchange=WORK,
        headers=headers,
    )
