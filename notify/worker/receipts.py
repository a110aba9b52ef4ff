"""The role of a worker that applies receipts."""

from __future__ import annotations

from notify.arrival import Dead
from notify.relays import BATCH_SIZE, OwnEvents
from notify.service.brake import reputation_brake
from notify.service.broker import open_publisher
from notify.service.receipts import open_receipts, waiting_receipts
from notify.service.relays import event_relay
from notify.settings import Settings
from notify.store import Store
from notify.telemetry.metrics import Metrics
from notify.topology import FEEDBACK, RECEIPTS
from notify.worker.role import WorkerRole

RECEIPTS_PREFETCH = 128
"""Unacknowledged messages of receipts, each with as many receipts as one request reported."""
RECEIPTS_LINGER = 0.2
"""Seconds that a receipt waits for others at most: a transaction costs more than its rows."""


def receipts(settings: Settings, store: Store, metrics: Metrics) -> WorkerRole:
    """Build the role that applies vendors' receipts and producers' feedback."""
    publisher = open_publisher(settings, window=BATCH_SIZE)
    own_events = OwnEvents()
    application = open_receipts(settings, store, metrics, own_events)
    return WorkerRole(
        queues=[RECEIPTS, FEEDBACK],
        prefetch=lambda _: RECEIPTS_PREFETCH,
        work=application,
        on_crash=Dead(),
        change=lambda _: None,
        before=[event_relay(store, publisher, own_events)],
        after=[waiting_receipts(application), reputation_brake(settings, store, metrics)],
        close=publisher.close,
        linger=RECEIPTS_LINGER,
    )
