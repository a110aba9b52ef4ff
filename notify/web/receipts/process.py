"""Running `notify web receipts` in the foreground, from the checks at its start to its exit."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial

from starlette.types import ASGIApp

from notify.publisher import Publisher
from notify.service.broker import open_broker, open_publisher
from notify.service.contract import open_templates
from notify.service.receipt_intake import inbox_relay, intake_publisher, open_intake
from notify.service.record import open_store
from notify.service.unsubscribe import category_titles, open_unsubscriber
from notify.settings import WEB, Settings
from notify.store import Store
from notify.telemetry.metrics import Metrics, catalog
from notify.topology import RECEIPTS, QueueWatch
from notify.web.health import WebHealth
from notify.web.limits import DEFAULT_WEB_LIMITS, WebLimits
from notify.web.process import Address, web_frame
from notify.web.receipts.app import receipts_app
from notify.web.receipts.health import IntakeBackends
from notify.web.receipts.unsubscribe import unsubscribe_routes

CONNECTIONS = DEFAULT_WEB_LIMITS.working + 4
"""Database connections: for requests that go to the inbox, the relay and the health check."""


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
    address = Address("receipts", settings.receipts.listen, settings.receipts.port)
    with ExitStack() as opened:
        frame = opened.enter_context(web_frame(WEB, address))
        store = opened.enter_context(closing(open_store(settings, connections=CONNECTIONS)))
        publisher = opened.enter_context(intake_publisher(settings))
        # Not the intake's publisher: a batch of the inbox must not delay a vendor's answer.
        relay_publisher = opened.enter_context(open_publisher(settings))
        backends = _backends(settings, store, opened)
        _watch(frame.metrics, backends)
        health = frame.health(backends)
        frame.serve(
            _application(settings, store, publisher, frame.metrics, health=health, limits=limits),
            health=health,
            settings=settings,
            limits=limits,
            components=[inbox_relay(store, relay_publisher)],
            ready=ready,
        )


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


def _backends(settings: Settings, store: Store, opened: ExitStack) -> IntakeBackends:
    queues = opened.enter_context(
        closing(QueueWatch([RECEIPTS], connect=partial(open_broker, settings)))
    )
    return IntakeBackends(queues=queues, store=store)


def _watch(metrics: Metrics, backends: IntakeBackends) -> None:
    metrics.watch(catalog.BROKER_UP, lambda: [((), float(backends.broker_up))])
    metrics.watch(catalog.RECORD_UP, lambda: [((), float(backends.record_up))])
    metrics.watch(catalog.RECEIPTS_WAITING, lambda: [((), float(backends.inbox))])
    metrics.watch(
        catalog.QUEUE_MESSAGES,
        lambda: [] if backends.ready_messages is None else [((RECEIPTS,), backends.ready_messages)],
    )
