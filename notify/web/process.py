"""Running `notify web receipts` in the foreground, from the checks at its start to its exit."""

from __future__ import annotations

import faulthandler
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from functools import partial
from importlib.metadata import version
from typing import Protocol

import structlog
from starlette.types import ASGIApp

from notify.periodic import PeriodicThread
from notify.publisher import Publisher
from notify.service import (
    category_titles,
    inbox_relay,
    intake_publisher,
    open_broker,
    open_intake,
    open_publisher,
    open_store,
    open_templates,
    open_unsubscriber,
)
from notify.settings import WEB, Settings
from notify.store import Store
from notify.telemetry.metrics import Metrics, catalog
from notify.telemetry.metrics.server import MetricsServer
from notify.telemetry.systemd import Systemd
from notify.topology import RECEIPTS, QueueWatch
from notify.web.app import receipts_app
from notify.web.health import PERIOD, WebHealth
from notify.web.limits import DEFAULT_WEB_LIMITS, WebLimits
from notify.web.server import WebServer, listening
from notify.web.unsubscribe import unsubscribe_routes

CONNECTIONS = DEFAULT_WEB_LIMITS.working + 4
"""Database connections: for requests that go to the inbox, the relay and the health check."""
COMPONENTS_TIMEOUT = 10.0
"""Seconds that a stop waits for the background threads, after the requests in flight."""

log = structlog.get_logger("notify.web")


class _Component(Protocol):
    def start(self) -> None: ...
    def stop(self, *, timeout: float) -> None: ...


def run_receipts(
    settings: Settings, *, ready: Callable[[], None], limits: WebLimits = DEFAULT_WEB_LIMITS
) -> None:
    """
    Serve the web intake until SIGTERM or SIGINT, then answer the requests in flight.

    It starts whether broker and record are up or not: each can stand in for the other.

    Args:
        settings: The configuration.
        ready: Called once requests are accepted.
        limits: The limits of requests.

    Raises:
        ConfigError: No provider has receipts, one is misconfigured, or the port is in use.
    """
    # The watchdog kills a hung process by a signal: then the log shows where each thread was.
    faulthandler.enable()
    systemd = Systemd()
    metrics = Metrics()
    with ExitStack() as opened:
        listener = opened.enter_context(listening(settings.receipts.listen, settings.receipts.port))
        store = opened.enter_context(closing(open_store(settings, connections=CONNECTIONS)))
        publisher = opened.enter_context(intake_publisher(settings))
        # Not the intake's publisher: a batch of the inbox must not delay a vendor's answer.
        relay_publisher = opened.enter_context(open_publisher(settings))
        health = _health(settings, store, systemd, opened)
        app = _application(settings, store, publisher, metrics, health=health, limits=limits)

        def started() -> None:
            host, port = listener.getsockname()[:2]
            log.info("notify.web_started", listen=host, port=port)
            ready()
            systemd.ready()

        def stopping() -> None:
            health.stopping = True
            systemd.stopping()

        server = WebServer(app, limits=limits, turn=health.turn, ready=started, stopping=stopping)
        observers = _observation(settings, metrics, health, systemd)
        with _running([*observers, inbox_relay(store, relay_publisher)]):
            server.serve_on(listener)
    log.info("notify.web_stopped")


def _application(
    settings: Settings,
    store: Store,
    publisher: Publisher,
    metrics: Metrics,
    *,
    health: WebHealth,
    limits: WebLimits,
) -> ASGIApp:
    intake = open_intake(settings, store, publisher, metrics)
    routes = unsubscribe_routes(
        open_unsubscriber(settings, store, intake),
        templates=open_templates(settings),
        titles=category_titles(settings),
        limits=limits,
    )
    return receipts_app(
        intake, metrics=metrics, unready=health.unready, routes=routes, limits=limits
    )


def _health(settings: Settings, store: Store, systemd: Systemd, opened: ExitStack) -> WebHealth:
    queues = opened.enter_context(
        closing(QueueWatch([RECEIPTS], connect=partial(open_broker, settings)))
    )
    return WebHealth(queues=queues, store=store, alive=systemd.alive, watchdog=systemd.watchdog)


def _running(components: Sequence[_Component]) -> ExitStack:
    """Start components, and return what stops them in reverse order."""
    running = ExitStack()
    for component in components:
        component.start()
        running.callback(component.stop, timeout=COMPONENTS_TIMEOUT)
    return running


def _observation(
    settings: Settings, metrics: Metrics, health: WebHealth, systemd: Systemd
) -> list[_Component]:
    """Return the health thread and the server of metrics and probes, if the settings want one."""
    _watch(metrics, health)

    def step() -> None:
        health.check()
        systemd.status(health.line())

    thread = PeriodicThread("health", step, period=PERIOD)
    port = settings.metrics.port(WEB, 1)
    if port is None:
        return [thread]
    metrics.watch_process()
    server = MetricsServer(
        metrics,
        listen=settings.metrics.listen,
        port=port,
        alive=health.alive,
        unready=health.unready,
        remark=health.remark,
    )
    return [thread, server]


def _watch(metrics: Metrics, health: WebHealth) -> None:
    metrics.watch(catalog.WORKER, lambda: [((WEB, version("notify-service")), 1.0)])
    metrics.watch(catalog.READY, lambda: [((), float(health.unready() is None))])
    metrics.watch(catalog.BROKER_UP, lambda: [((), float(health.broker_up))])
    metrics.watch(catalog.RECORD_UP, lambda: [((), float(health.record_up))])
    metrics.watch(catalog.RECEIPTS_WAITING, lambda: [((), float(health.inbox))])
    metrics.watch(
        catalog.QUEUE_MESSAGES,
        lambda: [] if health.ready_messages is None else [((RECEIPTS,), health.ready_messages)],
    )
