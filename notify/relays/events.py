"""The announcer: changes of status, published as events for whoever subscribes.

One runs in every worker process. The rows it publishes were written in the transaction that
changed the status, so that no change goes untold; a row is told again after a crash, under the
same id.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from notify.periodic import PeriodicThread
from notify.publisher import Outgoing, Publisher, PublishResult
from notify.store import Store
from notify.store.relays import PendingEvent, lease_events
from notify.store.relays.events import mark_events_published, release_events
from notify.topology import EVENTS

PERIOD = 0.5
"""Seconds between two looks at the record while nothing happens."""
HOLD = timedelta(seconds=60)
"""How long an announcer may take to publish what it took."""
BATCH_SIZE = 500


class EventRelay:
    """Publishes what happened to notifications, confirmed, from a thread of its own."""

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
        # What the last deliveries have recorded need not wait for the next start.
        self._looking = PeriodicThread("announcer", self._look, once_more=True)

    def start(self) -> None:
        """Begin to look."""
        self._looking.start()

    def stop(self, *, timeout: float) -> None:
        """Finish what is in hand, for *timeout* seconds at most; the rest waits on record."""
        self._looking.stop(timeout=timeout)

    def _look(self) -> float:
        return 0.0 if self.announce() == BATCH_SIZE else PERIOD

    def announce(self) -> int:
        """
        Publish one handful of events, in the order in which they were recorded; give how many.

        Raises:
            PublishError: Why the broker did not take one; that and the others like it wait.
            StoreError: The record cannot be used. What was published is published again later,
                under the same ids.
        """
        with self._store.writing() as connection:
            news = lease_events(connection, now=self._clock(), hold=HOLD, limit=BATCH_SIZE)
        if not news:
            return 0
        handful = PublishResult.publish(news, self._publisher, outgoing=outgoing)
        with self._store.writing() as connection:
            mark_events_published(connection, handful.taken)
            release_events(connection, handful.left)
        if handful.error is not None:
            raise handful.error
        return len(news)


def outgoing(news: PendingEvent) -> Outgoing:
    """Make a message of an event; that nobody has subscribed to it is no error."""
    event = news.event
    return Outgoing(
        body=event.model_dump_json().encode(),
        routing_key=event.routing_key,
        message_id=str(event.event_id),
        exchange=EVENTS,
        headers={"traceparent": news.traceparent} if news.traceparent else {},
        mandatory=False,
    )
