"""The Celery application and its one task; running it as a pool's worker in the foreground."""

from __future__ import annotations

import logging
import socket
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import amqp
import structlog
from celery import Celery, signals
from celery.apps.worker import Worker, install_worker_term_handler
from celery.exceptions import SecurityWarning
from kombu import Queue

from notify.announcer import Announcer
from notify.consumer import TASK, Consumer, RawAMQP
from notify.deadletters import Archive
from notify.delivery import Again, Dead, Decision, Delivery
from notify.errors import ConfigError, StoreError
from notify.flow.refreshing import Refreshing
from notify.intake import CLAIMERS
from notify.received import Batch
from notify.reconcile import Reconciler
from notify.relay import Relay
from notify.service import (
    open_announcer,
    open_archive,
    open_broker,
    open_delivery,
    open_reconciler,
    open_relay,
    open_store,
    topology_of,
)
from notify.settings import PoolSettings, Settings, ssl_options
from notify.topology import DEAD, check, queue_name

STOP_TIMEOUT = 60.0
"""Seconds that a stop waits for what is in hand; longer than the slowest call."""
DEAD_PREFETCH = 128
"""Dead letters in hand: two batches, of whatever size their bodies are."""
AFTER_FAULT = 5.0
"""Seconds until dead letters are looked at again that met a fault of ours."""
BROKER_PAUSE = 2.0
"""Seconds between two tries to reach the broker at the start."""

log = structlog.get_logger("notify.worker")


class Quiet(Worker):
    """Celery's worker, stopped by SIGTERM without a word on stdout past the log."""

    def install_platform_tweaks(self, worker: Worker) -> None:
        """Handle signals as Celery does."""
        super().install_platform_tweaks(worker)
        install_worker_term_handler(worker, verbose=False)


def create_app(settings: Settings, *, queues: Sequence[str]) -> Celery:
    """Make the Celery application with the engine's settings; no task is registered yet."""
    app = Celery("notify", amqp=RawAMQP, set_as_current=False)
    app.conf.update(
        broker_url=settings.amqp.url.get_secret_value(),
        broker_use_ssl=ssl_options(settings.amqp),
        broker_heartbeat=settings.amqp.heartbeat,
        # A worker outlives its broker, however long that is away.
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # RabbitMQ 3.10 closes the channel, not the connection, at its consumer timeout.
        broker_channel_error_retry=True,
        task_queues=[
            Queue(name, no_declare=True, queue_arguments={"x-queue-type": "quorum"})
            for name in queues
        ],
        task_create_missing_queues=False,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_acks_on_failure_or_timeout=False,
        task_ignore_result=True,
        accept_content=["json"],
        # One message to the control exchange would stop every worker.
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_disable_rate_limits=True,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
    )
    return app


def register(app: Celery, work: Delivery | Archive, *, at_fault: Decision) -> None:
    """Register the one task: deliver a batch, or archive it. A fault decides on all of it."""

    @app.task(name=TASK, ignore_result=True)
    def deliver(batch: Batch) -> None:
        worked = True
        try:
            worked = work.deliver(batch.arrivals)
        except Exception as error:
            # The last line of defence: whatever went wrong, no message is lost.
            log.error("notify.delivery_fault", messages=len(batch.arrivals), exc_info=error)
            for arrival in batch.arrivals:
                arrival.settle(at_fault)
        finally:
            batch.begun(worked)


@dataclass(frozen=True, slots=True)
class Duty:
    """
    What one worker process does.

    Attributes:
        queues: What it consumes.
        appetite: Tells at once how many messages of a queue to have in hand, 0 for none.
        work: What it does with them.
        at_fault: What becomes of messages that meet a fault of ours.
        before: What is started before the work and stopped after it, each in its thread.
        after: What is started after it, and stopped before.
    """

    queues: Sequence[str]
    appetite: Callable[[str], int]
    work: Delivery | Archive
    at_fault: Decision
    before: Sequence[Announcer | Refreshing] = ()
    after: Sequence[Relay | Reconciler] = ()


def deliveries(settings: Settings, pool: PoolSettings) -> Duty:
    """Deliver what waits in one pool's queues, and keep time for the record beside it."""
    way = open_delivery(settings, pool)
    lanes = {queue_name(pool.channel, lane): lane for lane in pool.lanes}
    return Duty(
        queues=list(lanes),
        appetite=lambda queue: way.appetite.of(lanes[queue]),
        work=way.delivery,
        at_fault=Dead(),
        # Started before and stopped after: what may be sent is known before anything is consumed,
        # and the last ends are told too.
        before=[Refreshing(way.flow), open_announcer(settings)],
        after=[open_relay(settings), open_reconciler(settings, pool)],
    )


def dead_letters(settings: Settings) -> Duty:
    """Archive what comes into the dead queue. Nothing lies behind it: a fault never rejects."""
    return Duty(
        queues=[DEAD],
        appetite=lambda _: DEAD_PREFETCH,
        work=open_archive(settings),
        at_fault=Again(AFTER_FAULT),
    )


def run(
    settings: Settings,
    name: str,
    *,
    duty: Callable[[Settings], Duty],
    ready: Callable[[], None],
) -> int:
    """
    Work in the foreground until SIGTERM or SIGINT, then finish what is in hand.

    Args:
        name: The worker's name, unique on this machine, such as `email-2`.
        duty: Makes what is to be done, once record and broker are there.
        ready: Called when consumption begins, and again after each reconnection.

    Returns:
        The exit code.

    Raises:
        ConfigError: The broker lacks a queue, or the record a table; says what to run.
    """
    _require_record(settings)
    _require_topology(settings)
    doing = duty(settings)
    app = create_app(settings, queues=doing.queues)
    register(app, doing.work, at_fault=doing.at_fault)
    _quieten_celery()
    parts = [*doing.before, doing.work, *doing.after]
    for part in parts:
        part.start()
    worker = _celery_worker(app, name, doing, ready=ready)
    log.info("notify.worker_starting", worker=name, queues=doing.queues)
    worker.start()
    for part in reversed(parts):
        part.stop(timeout=STOP_TIMEOUT)
    log.info("notify.worker_stopped", worker=name)
    return int(worker.exitcode or 0)


def _celery_worker(app: Celery, name: str, doing: Duty, *, ready: Callable[[], None]) -> Worker:
    """Make the Celery worker that consumes in this process."""
    return Quiet(
        app=app,
        hostname=f"{name}@{socket.gethostname()}",
        pool="threads",
        concurrency=CLAIMERS * len(doing.queues),
        consumer_cls=partial(
            Consumer,
            ready=ready,
            probe=doing.work.record_answers,
            appetite=doing.appetite,
            hurry=doing.work.hurry,
            stop_timeout=STOP_TIMEOUT,
        ),
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )


def _quieten_celery() -> None:
    """Keep Celery from setting up logging, and from telling what nobody needs."""
    # Connecting a receiver is how Celery is told to leave logging as `notify.logs` has set it up.
    signals.setup_logging.connect(lambda **_: None, weak=False)
    logging.getLogger("celery").setLevel(logging.WARNING)
    # It warns of pickled messages from strangers; this worker takes nothing but plain JSON.
    warnings.simplefilter("ignore", SecurityWarning)


def _require_record(settings: Settings) -> None:
    store = open_store(settings)
    try:
        current, needed = store.revision()
    except StoreError as error:
        raise ConfigError(f"store.url: {error}; check that the database is up") from None
    finally:
        store.close()
    if current != needed:
        raise ConfigError("the record's tables are not this version's: run `notify migrate`")


def _require_topology(settings: Settings) -> None:
    """Wait for the broker, then check that it holds what this worker consumes."""
    while True:
        try:
            connection = open_broker(settings)
        except (OSError, amqp.AMQPError) as error:
            log.warning("notify.broker_away", error_kind=type(error).__name__)
            time.sleep(BROKER_PAUSE)
            continue
        try:
            check(topology_of(settings), connection)
        finally:
            connection.close()
        return
