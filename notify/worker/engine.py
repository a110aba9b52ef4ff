"""The Celery application with its one task, and the Celery worker."""

from __future__ import annotations

import logging
import os
import signal
import socket
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from celery import Celery, signals
from celery.apps.worker import Worker, install_worker_term_handler
from celery.exceptions import CPendingDeprecationWarning, SecurityWarning
from kombu import Queue

from notify.arrival import Decision
from notify.settings import Settings, ssl_options
from notify.worker.consumer import TASK
from notify.worker.frames import frame_handler
from notify.worker.received import Batch, RawAMQP
from notify.worker.work import Work

log = structlog.get_logger("notify.worker")


class QuietWorker(Worker):
    """Celery's worker, which prints nothing to stdout when SIGTERM stops it."""

    def __init__(
        self, *, stopping: Callable[[], None], reload: Callable[[], None], **options: Any
    ) -> None:
        """
        Make a worker with Celery's options and two more, both called in a signal handler.

        Args:
            stopping: Called at SIGTERM.
            reload: Called at SIGHUP.
        """
        self._stopping = stopping
        self._reload = reload
        super().__init__(**options)

    def install_platform_tweaks(self, worker: Worker) -> None:
        """Handle signals as Celery does, except two."""
        super().install_platform_tweaks(worker)
        install_worker_term_handler(worker, verbose=False, callback=lambda _: self._stopping())
        # Celery would restart the process. On a terminal, SIGHUP means that the terminal closed.
        if not os.isatty(0):
            signal.signal(signal.SIGHUP, lambda *_: self._reload())


def create_app(settings: Settings, *, queues: Sequence[str]) -> Celery:
    """Make the Celery application for these queues; no task is registered yet."""
    app = Celery("notify", amqp=RawAMQP, set_as_current=False)
    app.conf.update(
        broker_url=settings.amqp.url.get_secret_value(),
        broker_use_ssl=ssl_options(settings.amqp),
        broker_heartbeat=settings.amqp.heartbeat,
        broker_transport_options={"frame_handler": frame_handler},
        # A worker keeps running while the broker is away, however long.
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


def register(app: Celery, work: Work, *, on_crash: Decision) -> None:
    """Register the one task: process a batch; on an unexpected error, settle it as *on_crash*."""

    @app.task(name=TASK, ignore_result=True)
    def deliver(batch: Batch) -> None:
        worked = True
        try:
            worked = work.deliver(batch.arrivals)
        except Exception as error:
            # The last resort: whatever the error, no message is lost.
            log.error("notify.delivery_fault", messages=len(batch.arrivals), exc_info=error)
            for arrival in batch.arrivals:
                arrival.settle(on_crash)
        finally:
            batch.started(worked)


def celery_worker(
    app: Celery,
    name: str,
    *,
    threads: int,
    consumer: Callable[..., object],
    stopping: Callable[[], None],
    reload: Callable[[], None],
) -> Worker:
    """
    Make the Celery worker of this process; its `start` returns when the worker has stopped.

    Args:
        name: The worker's name, unique on this machine.
        threads: How many tasks run concurrently.
        consumer: Makes its consumer from Celery's arguments.
        stopping: Called in the handler of SIGTERM, before the worker stops.
        reload: Called in the handler of SIGHUP.
    """
    _quieten_celery()
    worker = QuietWorker(
        stopping=stopping,
        reload=reload,
        app=app,
        hostname=f"{name}@{socket.gethostname()}",
        pool="threads",
        concurrency=threads,
        consumer_cls=consumer,
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    # Celery has just enabled this warning, which it repeats at each lost connection.
    warnings.simplefilter("ignore", CPendingDeprecationWarning)
    return worker


def _quieten_celery() -> None:
    """Keep Celery from setting up logging, and from logging below warnings."""
    # With a connected receiver, Celery keeps the logging that `telemetry.logs` set up.
    signals.setup_logging.connect(lambda **_: None, weak=False)
    logging.getLogger("celery").setLevel(logging.WARNING)
    # It warns of pickled messages; this worker reads plain JSON only.
    warnings.simplefilter("ignore", SecurityWarning)
