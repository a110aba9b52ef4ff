"""Every exchange, queue, binding and routing key of the service; named in `plan`, nowhere else."""

from __future__ import annotations

from notify.topology.broker import Difference, apply, check, diff
from notify.topology.definitions import Producer, differences, export
from notify.topology.plan import (
    DEAD,
    EVENTS,
    EXCHANGE,
    UNROUTED,
    WORK,
    Binding,
    Exchange,
    Queue,
    Topology,
    queue_name,
    routing_key,
)

__all__ = [
    "DEAD",
    "EVENTS",
    "EXCHANGE",
    "UNROUTED",
    "WORK",
    "Binding",
    "Difference",
    "Exchange",
    "Producer",
    "Queue",
    "Topology",
    "apply",
    "check",
    "diff",
    "differences",
    "export",
    "queue_name",
    "routing_key",
]
