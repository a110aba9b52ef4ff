"""The relay: the record is the only clock, and what has come due goes back to RabbitMQ.

One runs in every worker process. Together they publish each due notification once: rows are
taken under a lock that the others skip, and held for a while in case their relay dies.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta

import structlog

from notify.errors import PublishError, StoreError
from notify.message import Status
from notify.publisher import Outgoing, Publisher
from notify.store import Store
from notify.store.due import Due, published, take_due
from notify.topology import WORK, routing_key

PERIOD = 0.5
"""Seconds between two looks at the record while nothing is due."""
HOLD = timedelta(seconds=60)
"""How long a relay may take to publish what it took."""
HANDFUL = 500
AWAITED = (Status.SCHEDULED, Status.QUEUED)

log = structlog.get_logger("notify.relay")


class Relay:
    """Publishes due notifications, confirmed, from a thread of its own."""

    def __init__(
        self,
        store: Store,
        publisher: Publisher,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._clock = clock
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self, *, timeout: float) -> None:
        """Finish what is in hand, for *timeout* seconds at most."""
        self._stopping.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        full = False
        while full or not self._stopping.wait(PERIOD):
            try:
                full = self.relay() == HANDFUL and not self._stopping.is_set()
            except StoreError as error:
                log.warning("notify.relay_waits", reason=str(error))
                full = False

    def relay(self) -> int:
        """
        Publish one handful of what is due; give how many were taken.

        Raises:
            StoreError: The record cannot be used. What was published is published again later,
                and recognised by its id.
        """
        with self._store.writing() as connection:
            due = take_due(connection, AWAITED, now=self._clock(), hold=HOLD, limit=HANDFUL)
        if not due:
            return 0
        done = list(self._publish(due))
        if done:
            with self._store.writing() as connection:
                published(connection, done, now=self._clock())
        return len(due)

    def _publish(self, due: Iterable[Due]) -> Iterator[Due]:
        """Give those that the broker confirmed; the others are taken again when the hold ends."""
        rows = list(due)
        for row, error in zip(rows, self._publisher.publish_many(map(outgoing, rows)), strict=True):
            if error is None:
                yield row
            else:
                _tell(row, error)


def outgoing(row: Due) -> Outgoing:
    """Make a message of a row: the request for one recipient, under its own id and key."""
    headers = {"traceparent": row.traceparent} if row.traceparent else {}
    return Outgoing(
        body=row.body,
        routing_key=routing_key(row.channel, row.lane, row.source),
        message_id=str(row.id),
        exchange=WORK,
        headers=headers,
    )


def _tell(row: Due, error: PublishError) -> None:
    log.warning("notify.relay_failed", id=str(row.id), reason=str(error))
