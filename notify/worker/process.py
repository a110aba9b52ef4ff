"""What one worker process does, and running it in the foreground."""

from __future__ import annotations

import faulthandler
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import amqp
import structlog
from celery.apps.worker import Worker

from notify.deadletters import Archive
from notify.delivery import Again, Dead, Decision, Delivery
from notify.publisher import why
from notify.service import (
    due_relay,
    event_relay,
    flow_refresh,
    open_archive,
    open_broker,
    open_delivery,
    open_reconciler,
    open_tracing,
    opened_record,
    record_metrics,
    refused_relay,
    topology_of,
)
from notify.settings import PoolSettings, Settings
from notify.store.db import CLOCK_OFF
from notify.telemetry.logs import Threshold
from notify.telemetry.metrics import Metrics
from notify.topology import DEAD, check, queue_name
from notify.worker.consumer import Consumer
from notify.worker.engine import celery_worker, create_app, register
from notify.worker.intake import CLAIMERS
from notify.worker.observation import Observation
from notify.worker.supervision import Supervision
from notify.worker.systemd import Systemd

STOP_TIMEOUT = 60.0
"""Seconds that a stop waits for what is in hand; longer than the slowest call."""
PARTS_TIMEOUT = 20.0
"""Seconds that it waits after that for the threads beside, all together."""
DEAD_PREFETCH = 128
"""Dead letters in hand: two batches, of whatever size their bodies are."""
AFTER_FAULT = 5.0
"""Seconds until dead letters are looked at again that met a fault of ours."""
BROKER_PAUSE = 2.0
"""Seconds between two tries to reach the broker at the start."""

log = structlog.get_logger("notify.worker")


class Component(Protocol):
    """What runs in threads of its own while a worker works."""

    def start(self) -> None:
        """Begin, and return."""

    def stop(self, *, timeout: float) -> None:
        """End, within *timeout* seconds."""


@dataclass(frozen=True, slots=True)
class WorkerRole:
    """
    What one worker process does.

    Attributes:
        queues: What it consumes.
        appetite: Tells at once how many messages of a queue to have in hand, 0 for none.
        work: What it does with them.
        at_fault: What becomes of messages that meet a fault of ours.
        change: Puts a changed configuration into force, or raises `ConfigError`.
        before: What is started before the work and stopped after it, each in its thread.
        after: What is started after it, and stopped before.
    """

    queues: Sequence[str]
    appetite: Callable[[str], int]
    work: Delivery | Archive
    at_fault: Decision
    change: Callable[[Settings], None]
    before: Sequence[Component] = ()
    after: Sequence[Component] = ()


def deliveries(settings: Settings, metrics: Metrics, name: str, pool: PoolSettings) -> WorkerRole:
    """Deliver what waits in one pool's queues, and keep time for the record beside it."""
    tracing = open_tracing(settings, worker=name)
    way = open_delivery(settings, pool, metrics, tracing)
    lanes = {queue_name(pool.channel, lane): lane for lane in pool.lanes}
    return WorkerRole(
        queues=list(lanes),
        appetite=lambda queue: way.appetite.of(lanes[queue]),
        work=way.delivery,
        at_fault=Dead(),
        change=way.change,
        # Started before and stopped after: what may be sent is known before anything is consumed,
        # and the last ends are told too.
        before=[tracing, flow_refresh(way.flow), event_relay(settings)],
        after=[due_relay(settings), open_reconciler(settings, pool, way.templates)],
    )


def dead_letters(settings: Settings, metrics: Metrics) -> WorkerRole:
    """Archive what comes into the dead queue. Nothing lies behind it: a fault never rejects."""
    return WorkerRole(
        queues=[DEAD],
        appetite=lambda _: DEAD_PREFETCH,
        work=open_archive(settings, metrics),
        at_fault=Again(AFTER_FAULT),
        change=lambda _: None,
        before=[refused_relay(settings)],
        after=[record_metrics(settings, metrics)],
    )


def run(
    settings: Settings,
    name: str,
    *,
    pool: str,
    number: int,
    duty: Callable[[Settings, Metrics], WorkerRole],
    logged: Threshold,
    ready: Callable[[], None],
) -> int:
    """
    Work in the foreground until SIGTERM or SIGINT, then finish what is in hand.

    Args:
        name: The worker's name, unique on this machine, such as `email-2`.
        pool: The pool that it belongs to.
        number: Which of the pool's processes on this machine it is, from 1.
        duty: Makes what is to be done, once record and broker are there.
        logged: Where a reload changes the level of the log.
        ready: Called when consumption begins, and again after each reconnection.

    Returns:
        The exit code.

    Raises:
        ConfigError: The broker lacks a queue, or the record a table; says what to run.
    """
    # A loop that hangs is ended by a signal: then the log holds where each thread was.
    faulthandler.enable()
    systemd = Systemd()
    systemd.status("waiting for the record and the broker")
    sealed = _require_record(settings)
    _require_topology(settings)
    metrics = Metrics()
    doing = duty(settings, metrics)
    supervision = Supervision(
        systemd, settings, queues=doing.queues, change=doing.change, logged=logged
    )
    observation = Observation(
        settings,
        metrics,
        pool=pool,
        number=number,
        queues=doing.queues,
        vitals=supervision.vitals,
    )
    worker = _celery_worker(settings, name, doing, supervision=supervision, ready=ready)
    parts = [observation, *doing.before, doing.work, *doing.after, supervision]
    for part in parts:
        part.start()
    log.info("notify.worker_starting", worker=name, queues=doing.queues)
    if not sealed:
        log.info("notify.record_in_clear", hint="docs/privacy.md tells how to seal it")
    worker.start()
    supervision.stopping()
    end = time.monotonic() + PARTS_TIMEOUT
    for part in reversed(parts):
        part.stop(timeout=max(1.0, end - time.monotonic()))
    log.info("notify.worker_stopped", worker=name)
    return int(worker.exitcode or 0)


def _celery_worker(
    settings: Settings,
    name: str,
    doing: WorkerRole,
    *,
    supervision: Supervision,
    ready: Callable[[], None],
) -> Worker:
    app = create_app(settings, queues=doing.queues)
    register(app, doing.work, at_fault=doing.at_fault)

    def begun() -> None:
        ready()
        supervision.ready()

    consumer = partial(
        Consumer,
        ready=begun,
        probe=doing.work.record_answers,
        appetite=doing.appetite,
        hurry=doing.work.hurry,
        vitals=supervision.vitals,
        stop_timeout=STOP_TIMEOUT,
    )
    return celery_worker(
        app,
        name,
        threads=CLAIMERS * len(doing.queues),
        consumer=consumer,
        stopping=supervision.stopping,
        reload=supervision.reload,
    )


def _require_record(settings: Settings) -> bool:
    """Check that the record can be used as configured; tell whether it is sealed."""
    with opened_record(settings) as store:
        _warn_of_clock(store.clock.host_ahead)
        return store.seals


def _warn_of_clock(host_ahead: float) -> None:
    """Warn where this host's clock is wrong: the record does not go by it, but vendors do."""
    if abs(host_ahead) > CLOCK_OFF:
        log.warning("notify.clock_off", host_ahead=round(host_ahead, 1))


def _require_topology(settings: Settings) -> None:
    """Wait for the broker, then check that it holds what this worker consumes."""
    while True:
        try:
            connection = open_broker(settings)
        except (OSError, amqp.AMQPError) as error:
            log.warning("notify.broker_away", reason=why(error))
            time.sleep(BROKER_PAUSE)
            continue
        try:
            check(topology_of(settings), connection)
        finally:
            connection.close()
        return
