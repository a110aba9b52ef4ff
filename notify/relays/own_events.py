"""Events that this process announces from memory (docs/adr/0014)."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from typing import ClassVar

from notify.store.relays import PendingEvent

MOST = 10_000
"""Events in memory; any more are left to the record, as those of a dead worker."""


class OwnEvents:
    """
    Events that this process has recorded under its own lease, so that it need not read them back.

    Thread-safe.

    Attributes:
        lease: How long the process has to publish an event; then any worker may.
    """

    lease: ClassVar[timedelta] = timedelta(seconds=15)

    def __init__(self, *, most: int = MOST) -> None:
        self._events: deque[PendingEvent] = deque()
        self._most = most

    def lease_end(self, at: datetime) -> datetime | None:
        """Return the lease's end of an event that is recorded at *at*; None to leave it to all."""
        return None if len(self._events) >= self._most else at + self.lease

    def put(self, event: PendingEvent) -> None:
        """Keep a recorded event until it is published."""
        self._events.append(event)

    def take(self, *, most: int, now: datetime) -> list[PendingEvent]:
        """Remove and return the oldest events, without those whose lease is over."""
        taken: list[PendingEvent] = []
        while self._events and len(taken) < most:
            event = self._events.popleft()
            if now < event.event.at + self.lease:
                taken.append(event)
        return taken
