"""Publishing refused events, confirmed, from a thread of the archive's process."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta

from notify.contract import RefusedEvent
from notify.periodic import PeriodicThread
from notify.publisher import Outgoing, Publisher, PublishResult
from notify.store import Store
from notify.store.relays import (
    PendingRefusal,
    lease_refused,
    mark_refused_published,
    release_refused,
)
from notify.topology import EVENTS

PERIOD = 0.5
"""Seconds between two looks at the archive while nothing happens."""
HOLD = timedelta(seconds=60)
"""How long a process may take to publish what it took."""
AT_ONCE = 100


class RefusedEvents:
    """Publishes refused events to their sources; what dies with it is published again."""

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
        self._looking = PeriodicThread("refused events", self._look, once_more=True)

    def start(self) -> None:
        """Begin to look."""
        self._looking.start()

    def stop(self, *, timeout: float) -> None:
        """Publish what waits, for *timeout* seconds at most; the rest stays with its letters."""
        self._looking.stop(timeout=timeout)

    def _look(self) -> float:
        return 0.0 if self.publish() == AT_ONCE else PERIOD

    def publish(self) -> int:
        """
        Publish what waits, at most `AT_ONCE`, and return how many.

        Raises:
            PublishError: Why the broker did not take one; that and the others like it wait.
            StoreError: The record cannot be used.
        """
        with self._store.writing() as connection:
            waiting = lease_refused(connection, now=self._clock(), hold=HOLD, limit=AT_ONCE)
        if not waiting:
            return 0
        handful = PublishResult.publish(waiting, self._publisher, outgoing=outgoing)
        with self._store.writing() as connection:
            mark_refused_published(connection, handful.taken)
            release_refused(connection, handful.left)
        if handful.error is not None:
            raise handful.error
        return len(waiting)


def outgoing(waiting: PendingRefusal) -> Outgoing:
    """Make a message of an event; that nobody has subscribed to it is no error."""
    event = RefusedEvent.model_validate_json(json.dumps(dict(waiting.event)))
    return Outgoing(
        body=event.model_dump_json().encode(),
        routing_key=event.routing_key,
        message_id=str(event.event_id),
        exchange=EVENTS,
        headers={},
        mandatory=False,
    )
