"""Every exchange, queue, binding and routing key of the service; only this module names them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from notify.message import Channel

EXCHANGE = "notify"
"""The only exchange that producers publish to."""
WORK = "notify.work"
"""The exchange that worker queues are bound to; retries and replays are published to it."""
DEAD = "notify.dead"
"""The dead-letter exchange, and the queue behind it."""
UNROUTED = "notify.unrouted"
"""The exchange of messages that match no worker queue; the dead queue is bound to it."""
EVENTS = "notify.events"
"""The exchange of events for subscribers; the key is `<channel>.<status>.<source>`."""
RECEIPTS = "notify.receipts"
"""The exchange that vendors' receipts are published to, by `<provider>.<event>`, and the queue
behind it."""
FEEDBACK = "notify.feedback"
"""The queue of what producers report: `feedback.<source>` and `optout.<source>`."""
RECEIPTS_USER = "notify-receipts"
"""The broker's user of the web intake: it may publish receipts and nothing else."""
API_USER = "notify-api"
"""The broker's user of the HTTP API: it may publish for every source, and nothing else."""
CONSOLE_USER = "notify-console"
"""The broker's user of the console: it may read how deep queues are, and nothing else."""
WORKER_USER = "notify-worker"
"""The broker's user for worker processes in the exported definitions."""
OPERATOR_USER = "notify-operator"
"""The broker's user for operators' commands in the exported definitions."""

# No queue lies behind the dead queue, so a delivery limit would drop messages. RabbitMQ before 4
# has no value for "no limit", and RabbitMQ 4 has a default limit of 20.
_NO_LIMIT = 2**31 - 1


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """The limits of a queue that no lane configures."""

    max_length: int
    delivery_limit: int


REPORTS = QueueLimits(max_length=1_000_000, delivery_limit=20)
"""The limits of the queues of receipts and feedback."""


def queue_name(channel: Channel, lane: str) -> str:
    """Return the name of the worker queue of a channel and lane, such as `notify.sms.bulk`."""
    return f"notify.{channel}.{lane}"


def routing_key(channel: Channel, lane: str, source: str) -> str:
    """Return the key a producer publishes with, such as `email.critical.shop`."""
    return f"{channel}.{lane}.{source}"


def subscriber_user(source: str) -> str:
    """Return the name of the user and of the queue by which a source receives its events."""
    return f"{source}.events"


@dataclass(frozen=True, slots=True)
class Exchange:
    """A durable exchange."""

    name: str
    type: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable quorum queue."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Binding:
    """A route from an exchange to a queue, or to another exchange."""

    source: str
    destination: str
    routing_key: str = "#"
    to_exchange: bool = False

    def __str__(self) -> str:
        """Return the text that an operator reads."""
        kind = "exchange" if self.to_exchange else "queue"
        return f"{self.source} → {kind} {self.destination} by {self.routing_key!r}"


@dataclass(frozen=True, slots=True)
class Topology:
    """Every object that must exist on the broker, in the order of declaration."""

    exchanges: tuple[Exchange, ...]
    queues: tuple[Queue, ...]
    bindings: tuple[Binding, ...]

    @classmethod
    def of(cls, channels: Iterable[Channel], lanes: Mapping[str, Any]) -> Topology:
        """Return the topology; each lane has a `max_length` and a `delivery_limit`."""
        work = [(channel, lane) for channel in channels for lane in lanes]
        return cls(
            exchanges=(
                Exchange(EXCHANGE, "topic"),
                Exchange(UNROUTED, "fanout"),
                Exchange(WORK, "topic", {"alternate-exchange": UNROUTED}),
                Exchange(DEAD, "topic"),
                Exchange(EVENTS, "topic"),
                Exchange(RECEIPTS, "topic", {"alternate-exchange": UNROUTED}),
            ),
            queues=(
                _dead_queue(),
                _work_queue(RECEIPTS, REPORTS),
                _work_queue(FEEDBACK, REPORTS),
                *(_work_queue(queue_name(channel, lane), lanes[lane]) for channel, lane in work),
            ),
            bindings=(
                Binding(DEAD, DEAD),
                Binding(UNROUTED, DEAD, routing_key=""),
                Binding(RECEIPTS, RECEIPTS),
                Binding(WORK, FEEDBACK, "feedback.*"),
                Binding(WORK, FEEDBACK, "optout.*"),
                *(
                    Binding(WORK, queue_name(channel, lane), f"{channel}.{lane}.#")
                    for channel, lane in work
                ),
                # Last, so that a first `apply` admits no message before every object exists.
                Binding(EXCHANGE, WORK, to_exchange=True),
            ),
        )

    @property
    def declared(self) -> tuple[Exchange | Queue, ...]:
        """Exchanges and queues together, in the order in which they are declared."""
        return (*self.exchanges, *self.queues)


def _dead_queue() -> Queue:
    """
    Return the queue that only the archive consumes.

    It has no length limit: one that refuses messages would block the dead-lettering of every other
    queue, and one that drops them would lose messages. The broker's disk alarm is its bound.
    """
    return Queue(DEAD, {"x-queue-type": "quorum", "x-delivery-limit": _NO_LIMIT})


def _work_queue(name: str, lane: Any) -> Queue:
    """Return a worker queue: it refuses when full, and dead-letters at least once."""
    return Queue(
        name,
        {
            "x-queue-type": "quorum",
            "x-dead-letter-exchange": DEAD,
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
            "x-max-length": lane.max_length,
            "x-delivery-limit": lane.delivery_limit,
        },
    )
