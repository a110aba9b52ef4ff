"""
RabbitMQ's exchanges, queues, bindings and routing keys; only `plan` makes their names.

Also: applying and comparing them, definitions for export, and reading queue depths. Not here:
publishing (`publisher`) and consuming (`worker`).
"""

from __future__ import annotations

from notify.topology.broker import Depth, Difference, apply, check, depths, diff, missing
from notify.topology.definitions import Producer, differences, export, worker_rights
from notify.topology.plan import (
    API_USER,
    CONSOLE_USER,
    DEAD,
    EVENTS,
    EXCHANGE,
    FEEDBACK,
    RECEIPTS,
    UNROUTED,
    WORK,
    Binding,
    Exchange,
    Queue,
    Topology,
    queue_name,
    routing_key,
)
from notify.topology.queue_watch import QueueWatch

__all__ = [
    "API_USER",
    "CONSOLE_USER",
    "DEAD",
    "EVENTS",
    "EXCHANGE",
    "FEEDBACK",
    "RECEIPTS",
    "UNROUTED",
    "WORK",
    "Binding",
    "Depth",
    "Difference",
    "Exchange",
    "Producer",
    "Queue",
    "QueueWatch",
    "Topology",
    "apply",
    "check",
    "depths",
    "diff",
    "differences",
    "export",
    "missing",
    "queue_name",
    "routing_key",
    "worker_rights",
]
