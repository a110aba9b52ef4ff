"""The roles of a worker process: delivering one pool's messages, archiving, applying receipts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass

from notify.delivery import Again, Dead, Decision
from notify.relays import BATCH_SIZE
from notify.service.brake import reputation_brake
from notify.service.broker import open_publisher
from notify.service.deadletters import open_archive, record_metrics
from notify.service.delivery import open_delivery, reconciliation
from notify.service.flow import flow_refresh
from notify.service.gateway import open_gateway
from notify.service.plans import plan_thread
from notify.service.receipts import open_receipts, receipt_lookups, waiting_receipts
from notify.service.relays import due_relay, event_relay, refused_relay, report_relay
from notify.service.tracing import open_tracing
from notify.settings import PoolSettings, Settings
from notify.store import Store
from notify.telemetry.metrics import Metrics
from notify.topology import DEAD, FEEDBACK, RECEIPTS, queue_name
from notify.worker.work import Component, Work

DEAD_PREFETCH = 128
"""Unacknowledged dead letters: two batches, whatever the size of their bodies."""
RECEIPTS_PREFETCH = 128
"""Unacknowledged messages of receipts, each with as many receipts as one request reported."""
CRASH_DELAY = 5.0
"""Seconds until dead letters are tried again after an unexpected error."""


@dataclass(frozen=True, slots=True)
class WorkerRole:
    """
    The queues of one worker process, and its parts.

    Attributes:
        queues: The queues that it consumes.
        prefetch: Returns at once how many messages of a queue may be unacknowledged, 0 for none.
        work: Processes the messages.
        on_crash: The decision on messages whose batch raises an unexpected error.
        change: Applies a changed configuration, or raises `ConfigError`.
        before: Components to start before the work and to stop after it.
        after: Components to start after the work and to stop before it.
        close: Closes the resources of all parts, once these are stopped.
    """

    queues: Sequence[str]
    prefetch: Callable[[str], int]
    work: Work
    on_crash: Decision
    change: Callable[[Settings], None]
    before: Sequence[Component]
    after: Sequence[Component]
    close: Callable[[], None]


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


def receipts(settings: Settings, store: Store, metrics: Metrics) -> WorkerRole:
    """Build the role that applies vendors' receipts and producers' feedback."""
    publisher = open_publisher(settings, window=BATCH_SIZE)
    application = open_receipts(settings, store, metrics)
    return WorkerRole(
        queues=[RECEIPTS, FEEDBACK],
        prefetch=lambda _: RECEIPTS_PREFETCH,
        work=application,
        on_crash=Dead(),
        change=lambda _: None,
        before=[event_relay(store, publisher)],
        after=[waiting_receipts(application), reputation_brake(settings, store, metrics)],
        close=publisher.close,
    )
