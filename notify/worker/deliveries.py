"""The role of a worker that delivers one pool's messages."""

from __future__ import annotations

from contextlib import ExitStack, closing

from notify.arrival import Dead
from notify.relays import BATCH_SIZE
from notify.service.broker import open_publisher
from notify.service.delivery import open_delivery, reconciliation
from notify.service.flow import flow_refresh
from notify.service.gateway import open_gateway
from notify.service.receipts import receipt_lookups
from notify.service.relays import due_relay, event_relay
from notify.service.tracing import open_tracing
from notify.settings import PoolSettings, Settings
from notify.store import Store
from notify.telemetry.metrics import Metrics
from notify.topology import queue_name
from notify.worker.role import WorkerRole


def deliveries(
    settings: Settings, store: Store, metrics: Metrics, *, name: str, pool: PoolSettings
) -> WorkerRole:
    """Build the role that delivers one pool's messages, with relays and reconciler beside it."""
    tracing = open_tracing(settings, worker=name)
    with ExitStack() as opened:
        gateway = opened.enter_context(closing(open_gateway(settings, pool.channel)))
        # Not one publisher for both: one unconfirmed message fails all that are in flight on its
        # connection, so a subscriber's queue could delay retries, and a work queue the events.
        work_publisher = opened.enter_context(open_publisher(settings))
        # A whole batch in flight: with a smaller window, its rest would go out one by one.
        event_publisher = opened.enter_context(open_publisher(settings, window=BATCH_SIZE))
        pipeline = open_delivery(settings, pool, store, gateway, metrics, tracing)
        lanes = {queue_name(pool.channel, lane): lane for lane in pool.lanes}
        return WorkerRole(
            queues=list(lanes),
            prefetch=lambda queue: pipeline.prefetch.of(lanes[queue]),
            work=pipeline.delivery,
            on_crash=Dead(),
            change=pipeline.change,
            # So that flow control is read before anything is consumed, and the events of the last
            # deliveries are published too.
            before=[
                tracing,
                flow_refresh(pipeline.flow),
                event_relay(store, event_publisher, pipeline.own_events),
            ],
            after=[
                due_relay(store, work_publisher),
                reconciliation(settings, store, gateway, pipeline.templates),
                *receipt_lookups(settings, store, gateway, metrics),
            ],
            close=opened.pop_all().close,
        )
