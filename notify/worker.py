"""The Celery application and its one task; running it as a pool's worker in the foreground."""

from __future__ import annotations

import logging
import socket
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial

import amqp
import structlog
from celery import Celery, signals
from celery.exceptions import SecurityWarning
from kombu import Queue

from notify.consumer import CLAIMERS, TASK, Consumer, RawAMQP
from notify.delivery import Dead, Delivery
from notify.errors import ConfigError, StoreError
from notify.received import Batch
from notify.service import (
    open_announcer,
    open_broker,
    open_delivery,
    open_reconciler,
    open_relay,
    open_store,
    topology_of,
)
from notify.settings import PoolSettings, Settings, ssl_options
from notify.topology import check, queue_name

STOP_TIMEOUT = 60.0
"""Seconds that a stop waits for what is in hand; longer than the slowest call."""
BROKER_PAUSE = 2.0
"""Seconds between two tries to reach the broker at the start."""

log = structlog.get_logger("notify.worker")


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
            worked = delivery.deliver(batch.arrivals)
        except Exception as error:
            # The last line of defence: whatever went wrong, no message is lost.
            log.error("notify.delivery_fault", messages=len(batch.arrivals), exc_info=error)
            for arrival in batch.arrivals:
                arrival.settle(Dead())
        finally:
            batch.begun(worked)


def run(settings: Settings, name: str, *, pool: PoolSettings, ready: Callable[[], None]) -> int:
    """
    Work in the foreground until SIGTERM or SIGINT, then finish what is in hand.

    Args:
        name: The worker's name, unique on this machine, such as `email-2`.
        pool: What to consume and how much of it at once.
        ready: Called when consumption begins, and again after each reconnection.

    Returns:
        The exit code.

    Raises:
        ConfigError: The broker lacks a queue, or the record a table; says what to run.
    """
    _require_record(settings)
    _require_topology(settings)
    delivery = open_delivery(settings, pool)
    app = create_app(settings, queues=[queue_name(pool.channel, lane) for lane in pool.lanes])
    register(app, delivery)
    # Connecting a receiver is how Celery is told to leave logging alone.
    signals.setup_logging.connect(_keep_logging, weak=False)
    logging.getLogger("celery").setLevel(logging.WARNING)
    # It warns of pickled messages from strangers; this worker takes nothing but plain JSON.
    warnings.simplefilter("ignore", SecurityWarning)
    relay = open_relay(settings)
    announcer = open_announcer(settings)
    reconciler = open_reconciler(settings, pool)
    delivery.start()
    relay.start()
    announcer.start()
    reconciler.start()
    worker = app.Worker(
        hostname=f"{name}@{socket.gethostname()}",
        pool="threads",
        concurrency=CLAIMERS,
        prefetch_multiplier=-(-pool.prefetch_count // CLAIMERS),
        consumer_cls=partial(
            Consumer, ready=ready, probe=delivery.record_answers, stop_timeout=STOP_TIMEOUT
        ),
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    log.info("notify.worker_starting", worker=name, channel=pool.channel, lanes=pool.lanes)
    worker.start()
    reconciler.stop(timeout=STOP_TIMEOUT)
    relay.stop(timeout=STOP_TIMEOUT)
    delivery.stop(timeout=STOP_TIMEOUT)
    announcer.stop(timeout=STOP_TIMEOUT)
    log.info("notify.worker_stopped", worker=name)
    return int(worker.exitcode or 0)


def _keep_logging(**_: object) -> None:
    """Leave logging as `notify.logs` has set it up."""


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
