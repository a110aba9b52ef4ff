"""The role of a worker that archives dead letters."""

from __future__ import annotations

from notify.arrival import Again
from notify.service.broker import open_publisher
from notify.service.deadletters import open_archive, record_metrics
from notify.service.plans import plan_thread
from notify.service.relays import refused_relay, report_relay
from notify.settings import Settings
from notify.store import Store
from notify.telemetry.metrics import Metrics
from notify.topology import DEAD
from notify.worker.role import WorkerRole

DEAD_PREFETCH = 128
"""Unacknowledged dead letters: two batches, whatever the size of their bodies."""
CRASH_DELAY = 5.0
"""Seconds until dead letters are tried again after an unexpected error."""


def dead_letters(settings: Settings, store: Store, metrics: Metrics) -> WorkerRole:
    """Build the role that archives dead letters; never rejects one: there is no queue behind."""
    publisher = open_publisher(settings)
    return WorkerRole(
        queues=[DEAD],
        prefetch=lambda _: DEAD_PREFETCH,
        work=open_archive(settings, store, metrics),
        on_crash=Again(CRASH_DELAY),
        change=lambda _: None,
        before=[refused_relay(store, publisher), report_relay(store, publisher)],
        after=[record_metrics(store, metrics), plan_thread(settings, store, metrics)],
        close=publisher.close,
    )
