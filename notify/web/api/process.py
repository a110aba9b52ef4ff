"""Running `notify web api` in the foreground, from the checks at its start to its exit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial

from starlette.types import ASGIApp

from notify.apikeys import Acceptor, KeyDirectory, KeyLimits, report_feedback
from notify.message import Channel
from notify.periodic import PeriodicThread
from notify.publisher import Publisher
from notify.service.api import api_publisher, open_acceptor, open_key_limits
from notify.service.broker import open_broker
from notify.service.contract import contract_limits, open_templates
from notify.service.record import open_store
from notify.settings import API, Settings
from notify.status.events import EventHistory
from notify.store import Store
from notify.telemetry.metrics import Metrics, catalog
from notify.templating import Templates
from notify.topology import QueueWatch, queue_name
from notify.web.api.app import api_app
from notify.web.api.dispatch import ApiDispatcher
from notify.web.api.events import EventHandlers
from notify.web.api.feed import PERIOD, EventFeed
from notify.web.api.health import ApiBackends
from notify.web.api.notifications import NotificationHandlers
from notify.web.api.operation import Operation
from notify.web.api.sending import SendHandler
from notify.web.api.suppressions import SuppressionHandlers
from notify.web.api.table import operations
from notify.web.api.templates import TemplateHandlers
from notify.web.limits import DEFAULT_WEB_LIMITS, WebLimits
from notify.web.process import Address, web_frame
from notify.web.tls import TlsFiles

WORKING = 64
"""Requests at once: each waits for RabbitMQ's confirm, and the more wait, the more it confirms."""
CONNECTIONS = DEFAULT_WEB_LIMITS.working + 6
"""Database connections: for requests, streams, the keys, their limit and the health check."""
KEYS_PERIOD = 1.0
"""Seconds between two reads of the keys."""


def run_api(settings: Settings, *, ready: Callable[[], None]) -> None:
    """
    Serve the API until SIGTERM or SIGINT, then answer the requests in flight.

    It starts whether broker and record are up or not.

    Args:
        settings: The configuration.
        ready: Called once requests are accepted.

    Raises:
        ConfigError: The port is in use, or the certificate cannot be read.
    """
    limits = replace(DEFAULT_WEB_LIMITS, body=settings.api.max_body_bytes, working=WORKING)
    address = Address("api", settings.api.listen, settings.api.port)
    tls = _tls(settings)
    with ExitStack() as opened:
        frame = opened.enter_context(web_frame(API, address))
        store = opened.enter_context(closing(open_store(settings, connections=CONNECTIONS)))
        publisher = opened.enter_context(api_publisher(settings))
        keys = KeyDirectory(store)
        backends = _backends(settings, store, keys, opened)
        _watch(frame.metrics, backends)
        health = frame.health(backends)
        rates, refresh = open_key_limits(settings, store)
        templates = open_templates(settings)
        feed = EventFeed(history := EventHistory(store))
        events = EventHandlers(
            history, feed, live=keys.still_live, stopping=lambda: health.stopping
        )
        app = build_api(
            settings,
            store,
            acceptor=open_acceptor(settings, store, publisher, templates),
            templates=templates,
            events=events,
            publisher=publisher,
            keys=keys,
            rates=rates,
            metrics=frame.metrics,
            unready=health.unready,
            limits=limits,
        )
        frame.serve(
            app,
            health=health,
            settings=settings,
            limits=limits,
            components=[
                PeriodicThread("api keys", keys.refresh, period=KEYS_PERIOD, last=keys.write_uses),
                refresh,
                PeriodicThread("api events", feed.step, period=PERIOD),
            ],
            ready=ready,
            tls=tls,
        )


def build_api(
    settings: Settings,
    store: Store,
    *,
    acceptor: Acceptor,
    templates: Templates,
    events: EventHandlers,
    publisher: Publisher,
    keys: KeyDirectory,
    rates: KeyLimits,
    metrics: Metrics,
    limits: WebLimits,
    unready: Callable[[], str | None] = lambda: None,
) -> ASGIApp:
    """Return the application of these parts."""
    report = partial(report_feedback, publisher, limits=contract_limits(settings))
    table: Sequence[Operation] = operations(
        sending=SendHandler(acceptor, rates),
        notifications=NotificationHandlers(store, report),
        suppressions=SuppressionHandlers(store),
        templates=TemplateHandlers(templates),
        events=events,
    )
    dispatcher = ApiDispatcher(keys, rates, metrics=metrics, limits=limits)
    return api_app(
        table, dispatcher, events, lanes=list(settings.lanes), unready=unready, limits=limits
    )


def _tls(settings: Settings) -> TlsFiles | None:
    certificate, key = settings.api.cert_file, settings.api.key_file
    if certificate is None or key is None:
        return None
    files = TlsFiles(certificate, key)
    files.check("api")
    return files


def _backends(
    settings: Settings, store: Store, keys: KeyDirectory, opened: ExitStack
) -> ApiBackends:
    name = queue_name(next(iter(Channel)), next(iter(settings.lanes)))
    watch = QueueWatch([name], connect=partial(open_broker, settings))
    return ApiBackends(queues=opened.enter_context(closing(watch)), store=store, keys=keys)


def _watch(metrics: Metrics, backends: ApiBackends) -> None:
    metrics.watch(catalog.BROKER_UP, lambda: [((), float(backends.broker_up))])
    metrics.watch(catalog.RECORD_UP, lambda: [((), float(backends.record_up))])
