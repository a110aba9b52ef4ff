"""Every metric of the service; docs/metrics.md tells what each is good for."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass


class MetricType(enum.Enum):
    """What a family is to Prometheus, and how it comes to be."""

    COUNTED = "counter"
    """A counter, raised where it happens."""
    READ_COUNT = "counter, read"
    """A counter that something else keeps."""
    READ = "gauge"
    """A gauge, read when it is asked for."""
    DURATION = "histogram"
    """A histogram of seconds."""


OBJECTIVE = 10.0
"""Seconds from publishing to the provider that a message should take at most."""

_WAITS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, OBJECTIVE, 30, 60, 300, 900, 3600, 21_600)
_CALLS = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25)


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """One metric: its name, what it tells, and by which labels, all of few values."""

    name: str
    kind: MetricType
    help: str
    labels: Sequence[str] = ()
    buckets: Sequence[float] = ()


_LANE = ("channel", "lane")

ACCEPTED = Family(
    "notify_accepted_total",
    MetricType.COUNTED,
    "Notifications new on record, one a recipient.",
    _LANE,
)
DUPLICATES = Family(
    "notify_duplicates_total",
    MetricType.COUNTED,
    "Messages that asked for what is on record already; nothing was sent again.",
    _LANE,
)
CONFLICTS = Family(
    "notify_conflicts_total",
    MetricType.COUNTED,
    "Messages whose key or id stands for another request.",
    _LANE,
)
DEFERRED = Family(
    "notify_deferred_total",
    MetricType.COUNTED,
    "Times that flow control or a hold put a notification off; it is no attempt.",
    _LANE,
)
ENDED = Family(
    "notify_ended_total",
    MetricType.COUNTED,
    "Notifications by the status that they ended with.",
    (*_LANE, "status"),
)
POSSIBLE_DUPLICATES = Family(
    "notify_possible_duplicates_total",
    MetricType.COUNTED,
    "Notifications to be sent again though a lost call may have sent them.",
    _LANE,
)
ATTEMPTS = Family(
    "notify_attempts_total",
    MetricType.COUNTED,
    "Calls to providers by how they ended: outcome as on record, verdict as the rules take it.",
    ("provider", "outcome", "verdict"),
)
CALL = Family(
    "notify_call_seconds",
    MetricType.DURATION,
    "How long calls to providers took.",
    ("provider",),
    _CALLS,
)
QUEUED = Family(
    "notify_queued_seconds",
    MetricType.DURATION,
    "From publishing a message to its claim by a worker.",
    _LANE,
    _WAITS,
)
DELIVERY = Family(
    "notify_delivery_seconds",
    MetricType.DURATION,
    "From publishing a message to the provider's word that it took it.",
    _LANE,
    _WAITS,
)
DEAD_LETTERS = Family(
    "notify_dead_letters_total",
    MetricType.COUNTED,
    "Messages archived as dead letters.",
    ("cause",),
)
REFUSED_EVENTS_DROPPED = Family(
    "notify_refused_events_dropped_total",
    MetricType.COUNTED,
    "Refused messages whose source is not told by an event.",
    ("why",),
)

WORKER = Family(
    "notify_worker_info",
    MetricType.READ,
    "1, for the pool and version of this process.",
    ("pool", "version"),
)
READY = Family("notify_worker_ready", MetricType.READ, "1 while /readyz says ok, else 0.")
UNACKNOWLEDGED = Family(
    "notify_unacknowledged", MetricType.READ, "Messages received and not acknowledged or rejected."
)
SETTLED = Family(
    "notify_settled_total", MetricType.READ_COUNT, "Messages acknowledged or rejected."
)
CALLS_IN_FLIGHT = Family(
    "notify_calls_in_flight", MetricType.READ, "Calls to providers under way.", ("lane",)
)
CALLS_MOST = Family(
    "notify_calls_in_flight_most",
    MetricType.READ,
    "Calls that may be under way at once.",
    ("lane",),
)
CIRCUIT = Family(
    "notify_circuit_state",
    MetricType.READ,
    "1 for the state that a provider's circuit is in, 0 for the others.",
    ("provider", "state"),
)
LIMIT_RATE = Family(
    "notify_limit_rate",
    MetricType.READ,
    "Units a second that a limit allows the whole fleet by now.",
    ("limit",),
)
LIMIT_UNITS = Family(
    "notify_limit_units_total",
    MetricType.READ_COUNT,
    "Units of a limit that were used.",
    ("limit",),
)
LIMIT_WAITS = Family(
    "notify_limit_waits_total",
    MetricType.READ_COUNT,
    "Times that a limit did not give all that it was asked for at once.",
    ("limit",),
)
QUEUE_MESSAGES = Family(
    "notify_queue_messages", MetricType.READ, "Messages that wait in a queue.", ("queue",)
)
QUEUE_CONSUMERS = Family(
    "notify_queue_consumers", MetricType.READ, "Consumers of a queue.", ("queue",)
)
QUEUE_OLDEST = Family(
    "notify_queue_oldest_seconds",
    MetricType.READ,
    "How old the oldest message of a queue is at most.",
    ("queue",),
)
QUEUE_DRAIN = Family(
    "notify_queue_drain_seconds",
    MetricType.READ,
    "How long a queue takes to be empty as it went lately; infinity if it grows.",
    ("queue",),
)
BROKER_UP = Family("notify_broker_up", MetricType.READ, "Whether the broker answers this process.")
RECORD_UP = Family("notify_record_up", MetricType.READ, "Whether the record answers this process.")
RECORD_BEHIND = Family(
    "notify_record_behind",
    MetricType.READ,
    "Whether all is held back, for the record lacks what was committed to it.",
)
HOST_AHEAD = Family(
    "notify_host_clock_ahead_seconds",
    MetricType.READ,
    "How far this host's clock is ahead of the database's; negative if it is behind.",
)

LATE = Family(
    "notify_late",
    MetricType.READ,
    "What the record should have taken up by now: for the relay, for look-ups, as events.",
    ("work",),
)
LATE_OLDEST = Family(
    "notify_late_oldest_seconds", MetricType.READ, "How late the first of these is.", ("work",)
)
RECORDED = Family(
    "notify_record_notifications",
    MetricType.READ,
    "Notifications on record by the ledger's terms.",
    (*_LANE, "term"),
)
OLDEST = Family(
    "notify_record_oldest_seconds",
    MetricType.READ,
    "How long ago the oldest was received that is queued or being sent.",
    _LANE,
)
DIFFERENCE = Family(
    "notify_ledger_difference",
    MetricType.READ,
    "What was accepted and is in none of the ledger's terms.",
)
DEAD_WAITING = Family(
    "notify_dead_letters_waiting",
    MetricType.READ,
    "Dead letters that wait in the archive for an operator.",
    ("cause",),
)

FAMILIES = tuple(each for each in vars().copy().values() if isinstance(each, Family))
"""All of them."""
