"""Events that this process announces from memory (docs/adr/0014)."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from notify.contract import EventIdentity, EventText
from notify.publisher import Outgoing
from notify.relays.events import event_message
from notify.store.relays import PendingEvent

MOST = 10_000
"""Events in memory; any more are left to the record, as those of a dead worker."""


@dataclass(frozen=True, slots=True)
class OwnEvent:
    """
    One event to announce.

    Attributes:
        sequence: Its id on record.
        at: When the status changed.
    """

    sequence: int
    at: datetime
    message: Outgoing


class OwnEvents:
    """
    Events that this process has recorded under its own lease, so that it need not read them back.

    Thread-safe.

    Attributes:
        lease: How long the process has to publish an event; then any worker may.
    """

    lease: ClassVar[timedelta] = timedelta(seconds=15)

    def __init__(self, *, most: int = MOST) -> None:
        self._events: deque[OwnEvent] = deque()
        self._most = most

    def lease_end(self, at: datetime) -> datetime | None:
        """Return the lease's end of an event that is recorded at *at*; None to leave it to all."""
        return None if len(self._events) >= self._most else at + self.lease

    def put(self, event: PendingEvent) -> None:
        """Keep a recorded event until it is published."""
        self._events.append(OwnEvent(event.sequence, event.event.at, event_message(event)))

    def put_alike(self, first: PendingEvent, others: Sequence[EventIdentity]) -> None:
        """Keep recorded events that differ only in their identities until they are published."""
        event, like = first.event, event_message(first)
        text = EventText(event)
        self._events.append(OwnEvent(first.sequence, event.at, like))
        self._events.extend(
            OwnEvent(
                each.sequence,
                event.at,
                Outgoing(
                    text.of(each),
                    like.routing_key,
                    each.event_id,
                    like.exchange,
                    like.headers,
                    like.content_type,
                    like.mandatory,
                ),
            )
            for each in others
        )

    def take(self, *, most: int, now: datetime) -> list[OwnEvent]:
        """Remove and return the oldest events, without those whose lease is over."""
        taken: list[OwnEvent] = []
        while self._events and len(taken) < most:
            event = self._events.popleft()
            if now < event.at + self.lease:
                taken.append(event)
        return taken
