"""Publishing status events: this process's own from memory, and those of others from the record."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from operator import attrgetter

from notify.publisher import Publisher, PublishResult
from notify.relays.events import EventRows
from notify.relays.own_events import OwnEvents
from notify.relays.relay import BATCH_SIZE, Relay
from notify.store import Store
from notify.store.relays import mark_events_published, release_events

SOON, LATEST = 0.5, 2.0
"""Seconds until the record is read again: after events were found there, and at most."""


class Announcer:
    """
    Publishes this process's own events, and reads the record for all others.

    Those are few: of workers that died, of operators and the reconciler, of ends without a call.
    """

    def __init__(
        self,
        own: OwnEvents,
        store: Store,
        publisher: Publisher,
        *,
        clock: Callable[[], datetime] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._own = own
        self._rows = EventRows()
        self._others = Relay(self._rows, store, publisher, clock=clock)
        self._store = store
        self._publisher = publisher
        self._clock = clock or store.clock
        self._monotonic = monotonic
        self._wait = SOON
        self._due = monotonic()

    def step(self) -> bool:
        """
        Publish own events, and those of others if it is time; return whether more may wait.

        Raises:
            PublishError: The broker did not confirm an event, which any worker may publish now.
            StoreError: The record cannot be used. Published events are published again when their
                lease ends, under the same id.
        """
        more = self._publish_own()
        if self._monotonic() < self._due:
            return False
        return self._publish_others() or more

    def finish(self) -> None:
        """Publish the events that are left; raises as `step`."""
        while self._publish_own():
            pass
        self._publish_others()

    def _publish_own(self) -> bool:
        """Publish own events until those of others are due; return whether more may wait."""
        while events := self._own.take(most=BATCH_SIZE, now=self._clock()):
            result = PublishResult.publish(events, self._publisher, outgoing=attrgetter("message"))
            with self._store.writing() as connection:
                mark_events_published(connection, result.confirmed)
                release_events(connection, result.unconfirmed)
            if result.error is not None:
                raise result.error
            if self._monotonic() >= self._due:
                # A worker at full speed has own events for as long as its backlog lasts.
                return True
        return False

    def _publish_others(self) -> bool:
        found = self._others.publish()
        self._wait = SOON if found else min(2 * self._wait, LATEST)
        self._due = self._monotonic() + self._wait
        return found == BATCH_SIZE
