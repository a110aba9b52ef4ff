"""A broker of plain lists: queues, unacknowledged messages, and the dead queue."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from notify.topology import DEAD
from tests.unit.course.clock import Clock


@dataclass(frozen=True, slots=True)
class Message:
    """One message as the broker keeps it."""

    body: bytes
    key: str
    properties: Mapping[str, Any]
    exchange: str
    returns: int = 0
    """How often it was requeued."""


@dataclass(frozen=True, slots=True)
class Handed:
    """An unacknowledged message."""

    tag: int
    owner: str
    queue: str
    message: Message


@dataclass(slots=True)
class Broker:
    """
    Routes messages as RabbitMQ does with our topology.

    Attributes:
        queues: By name; the dead queue is one of them.
        limit: How often a message may be requeued before it is dead-lettered.
    """

    queues: dict[str, deque[Message]]
    limit: int
    clock: Clock
    unacked: dict[int, Handed] = field(default_factory=dict)
    _tags: Iterator[int] = field(default_factory=count)

    def publish(self, message: Message) -> None:
        """Route by channel and lane; an unroutable message goes to the dead queue."""
        name = f"notify.{message.key.rpartition('.')[0]}"
        self.queues[name if name in self.queues else DEAD].append(message)

    def take(self, owner: str, queue: str) -> Handed | None:
        """Deliver the first message of a queue."""
        if not self.queues[queue]:
            return None
        handed = Handed(next(self._tags), owner, queue, self.queues[queue].popleft())
        self.unacked[handed.tag] = handed
        return handed

    def acknowledge(self, tag: int) -> None:
        """Acknowledge a message; a requeued one no longer has this tag."""
        self.unacked.pop(tag, None)

    def reject(self, tag: int) -> None:
        """Dead-letter a message."""
        handed = self.unacked.pop(tag, None)
        if handed is not None:
            self._die(handed, "rejected")

    def take_back(self, owner: str | None = None) -> None:
        """Requeue the unacknowledged messages, of one consumer or of all, at the queues' heads."""
        for handed in sorted(self.unacked.values(), key=lambda each: each.tag, reverse=True):
            if owner in (None, handed.owner):
                del self.unacked[handed.tag]
                self._return(handed)

    def _return(self, handed: Handed) -> None:
        message = replace(handed.message, returns=handed.message.returns + 1)
        if handed.queue != DEAD and message.returns > self.limit:
            self._die(handed, "delivery_limit")
        else:
            self.queues[handed.queue].appendleft(message)

    def _die(self, handed: Handed, reason: str) -> None:
        message = handed.message
        # The broker's times are whole seconds in UTC, without a zone.
        at = self.clock.now.replace(tzinfo=None, microsecond=0)
        death = {"reason": reason, "queue": handed.queue, "exchange": message.exchange}
        headers = {
            "x-death": [{**death, "time": at, "count": 1}],
            "x-first-death-reason": reason,
            "x-first-death-queue": handed.queue,
        }
        properties = {**message.properties, "application_headers": headers}
        self.queues[DEAD].append(Message(message.body, message.key, properties, DEAD))

    def messages(self) -> Iterator[Message]:
        """Return all its messages."""
        for queue in self.queues.values():
            yield from queue
        for handed in self.unacked.values():
            yield handed.message
