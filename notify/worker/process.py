"""Running one worker process in the foreground, from the checks at its start to its exit."""

from __future__ import annotations

import faulthandler
import gc
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial

import amqp
import structlog
from celery.apps.worker import Worker

from notify.publisher import why
from notify.service.broker import open_broker, topology_of
from notify.service.connections import CLAIMERS, database_connections
from notify.service.record import opened_record
from notify.settings import DEAD_POOL, Settings
from notify.store import Store
from notify.store.db import CLOCK_OFF
from notify.telemetry.logs import Threshold
from notify.telemetry.metrics import Metrics
from notify.telemetry.systemd import Systemd
from notify.topology import QueueWatch, check
from notify.worker.consumer import Consumer
from notify.worker.engine import celery_worker, create_app, register
from notify.worker.health import Health
from notify.worker.loop_state import LoopState
from notify.worker.observation import Observation
from notify.worker.role import WorkerRole
from notify.worker.status_line import StatusLine
from notify.worker.supervision import Supervision
from notify.worker.work import Component

STOP_TIMEOUT = 60.0
"""Seconds that a stop waits for unacknowledged messages; longer than the slowest call."""
COMPONENTS_TIMEOUT = 20.0
"""Seconds that a stop then waits for all components."""
BROKER_PAUSE = 2.0
"""Seconds between two tries to reach the broker at the start."""
COLLECT_AFTER = (20_000, 20, 20)
"""
The thresholds of the garbage collector. Each recipient of a request needs dozens of objects, none
of which is in a cycle, so Python's 700 would examine all of them several times: a tenth of a bulk
worker's processor time.
"""

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
        number: The process's number in its pool on this machine, from 1.
        role: Builds the role, once record and broker are checked.
        threshold: The log's level, which a reload changes.
        ready: Called when consumption starts, and again after each reconnection.

    Returns:
        The exit code.

    Raises:
        ConfigError: The broker lacks a queue, or the record a table; the text has the command.
    """
    # The watchdog kills a hung process by a signal: then the log shows where each thread was.
    faulthandler.enable()
    gc.set_threshold(*COLLECT_AFTER)
    systemd = Systemd()
    systemd.status("waiting for the record and the broker")
    connections = database_connections(settings, pool)
    # The pool of dead letters also keeps the totals and the record, which reads whole tables.
    by_index = pool != DEAD_POOL
    with opened_record(settings, connections=connections, by_index=by_index) as store:
        _require_topology(settings)
        metrics = Metrics()
        loop = LoopState(alive=systemd.alive, watchdog=systemd.watchdog)
        worker_role = role(settings, store, metrics)
        queues = QueueWatch(worker_role.queues, connect=partial(open_broker, settings))
        health = Health(loop, queues=queues, store=store)
        line = StatusLine(systemd.status, loop, health)
        supervision = Supervision(
            systemd, settings, line=line, change=worker_role.change, threshold=threshold
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
            settings, name, worker_role, loop=loop, supervision=supervision, ready=ready
        )
        with closing(queues), closing(worker_role):
            components = [
                observation,
                *worker_role.before,
                worker_role.work,
                *worker_role.after,
                supervision,
            ]
            log.info("notify.worker_starting", worker=name, queues=worker_role.queues)
            _report_record(store)
            _work(worker, components, stopping=supervision.stopping)
    log.info("notify.worker_stopped", worker=name)
    return int(worker.exitcode or 0)


def _work(worker: Worker, components: Sequence[Component], *, stopping: Callable[[], None]) -> None:
    """Start the components, consume until the worker stops, and stop them in reverse order."""
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
    worker_role: WorkerRole,
    *,
    loop: LoopState,
    supervision: Supervision,
    ready: Callable[[], None],
) -> Worker:
    app = create_app(settings, queues=worker_role.queues)
    register(app, worker_role.work, on_crash=worker_role.on_crash)

    def consumption_started() -> None:
        ready()
        supervision.ready()

    consumer = partial(
        Consumer,
        ready=consumption_started,
        probe=worker_role.work.record_answers,
        prefetch=worker_role.prefetch,
        hurry=worker_role.work.hurry,
        state=loop,
        stop_timeout=STOP_TIMEOUT,
        linger=worker_role.linger,
    )
    return celery_worker(
        app,
        name,
        threads=CLAIMERS * len(worker_role.queues),
        consumer=consumer,
        stopping=supervision.stopping,
        reload=supervision.reload,
    )


def _report_record(store: Store) -> None:
    """Log if the record is not sealed, or this host's clock is wrong."""
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
