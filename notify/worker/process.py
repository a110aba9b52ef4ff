"""Running one worker process in the foreground, from its checks at the start to its exit."""

from __future__ import annotations

import faulthandler
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial

import amqp
import structlog
from celery.apps.worker import Worker

from notify.publisher import why
from notify.service import open_broker, opened_record, topology_of
from notify.settings import Settings
from notify.store import Store
from notify.store.db import CLOCK_OFF
from notify.telemetry.logs import Threshold
from notify.telemetry.metrics import Metrics
from notify.topology import QueueWatch, check
from notify.worker.consumer import Consumer
from notify.worker.engine import celery_worker, create_app, register
from notify.worker.health import Health
from notify.worker.intake import CLAIMERS
from notify.worker.loop_state import LoopState
from notify.worker.observation import Observation
from notify.worker.roles import Component, WorkerRole, database_connections
from notify.worker.status_line import StatusLine
from notify.worker.supervision import Supervision
from notify.worker.systemd import Systemd

STOP_TIMEOUT = 60.0
"""Seconds that a stop waits for unacknowledged messages; longer than the slowest call."""
COMPONENTS_TIMEOUT = 20.0
"""Seconds that a stop waits for all components after that."""
BROKER_PAUSE = 2.0
"""Seconds between two tries to reach the broker at the start."""

log = structlog.get_logger("notify.worker")


def run(
    settings: Settings,
    name: str,
    *,
    pool: str,
    number: int,
    role: Callable[[Settings, Store, Metrics], WorkerRole],
    threshold: Threshold,
    ready: Callable[[], None],
) -> int:
    """
    Work in the foreground until SIGTERM or SIGINT, then drain in-flight messages.

    Args:
        name: The worker's name, unique on this machine, such as `email-2`.
        pool: The pool that it belongs to.
        number: Which of the pool's processes on this machine it is, from 1.
        role: Builds the role, once record and broker are checked.
        threshold: The log's level, which a reload changes.
        ready: Called when consumption begins, and again after each reconnection.

    Returns:
        The exit code.

    Raises:
        ConfigError: The broker lacks a queue, or the record a table; the text says what to run.
    """
    # A watchdog ends a hung loop by a signal: then the log shows where each thread was.
    faulthandler.enable()
    systemd = Systemd()
    systemd.status("waiting for the record and the broker")
    with opened_record(settings, connections=database_connections(settings, pool)) as store:
        _require_topology(settings)
        metrics = Metrics()
        loop = LoopState(alive=systemd.alive, watchdog=systemd.watchdog)
        doing = role(settings, store, metrics)
        queues = QueueWatch(doing.queues, connect=partial(open_broker, settings))
        health = Health(loop, queues=queues, store=store)
        line = StatusLine(systemd.status, loop, health)
        supervision = Supervision(
            systemd, settings, line=line, change=doing.change, threshold=threshold
        )
        observation = Observation(
            settings,
            metrics,
            pool=pool,
            number=number,
            loop=loop,
            health=health,
            line=line if systemd.listens else None,
        )
        worker = _celery_worker(
            settings, name, doing, loop=loop, supervision=supervision, ready=ready
        )
        with closing(queues), closing(doing):
            components = [observation, *doing.before, doing.work, *doing.after, supervision]
            log.info("notify.worker_starting", worker=name, queues=doing.queues)
            _report_record(store)
            _work(worker, components, stopping=supervision.stopping)
    log.info("notify.worker_stopped", worker=name)
    return int(worker.exitcode or 0)


def _work(worker: Worker, components: Sequence[Component], *, stopping: Callable[[], None]) -> None:
    """Start the components, consume until the worker ends, and stop them in reverse."""
    for component in components:
        component.start()
    worker.start()
    stopping()
    end = time.monotonic() + COMPONENTS_TIMEOUT
    for component in reversed(components):
        component.stop(timeout=max(1.0, end - time.monotonic()))


def _celery_worker(
    settings: Settings,
    name: str,
    doing: WorkerRole,
    *,
    loop: LoopState,
    supervision: Supervision,
    ready: Callable[[], None],
) -> Worker:
    app = create_app(settings, queues=doing.queues)
    register(app, doing.work, on_crash=doing.on_crash)

    def begun() -> None:
        ready()
        supervision.ready()

    consumer = partial(
        Consumer,
        ready=begun,
        probe=doing.work.record_answers,
        prefetch=doing.prefetch,
        hurry=doing.work.hurry,
        state=loop,
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


def _report_record(store: Store) -> None:
    """Log what an operator should know of the record, though it can be used."""
    if not store.seals:
        log.info("notify.record_in_clear", hint="docs/privacy.md says how to seal it")
    warn_of_clock(store.clock.host_ahead)


def warn_of_clock(host_ahead: float) -> None:
    """Warn if this host's clock is wrong: the record does not use it, but providers' tokens do."""
    if abs(host_ahead) > CLOCK_OFF:
        log.warning("notify.clock_off", host_ahead=round(host_ahead, 1))


def _require_topology(settings: Settings) -> None:
    """Wait for the broker, then check that its topology is complete."""
    while True:
        try:
            connection = open_broker(settings)
        except (OSError, amqp.AMQPError) as error:
            log.warning("notify.broker_away", reason=why(error))
            time.sleep(BROKER_PAUSE)
            continue
        with closing(connection):
            check(topology_of(settings), connection)
        return
