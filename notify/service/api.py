"""The HTTP API, by the settings."""

from __future__ import annotations

from notify.apikeys import Acceptor, KeyLimits, key_limit
from notify.flow import Limiter
from notify.periodic import PeriodicThread
from notify.publisher import Publisher
from notify.service.broker import open_publisher
from notify.service.contract import contract_limits
from notify.settings import Settings
from notify.store import Store
from notify.templating import TemplateNames, Templates

CONFIRM = 5.0
"""The most seconds in which the broker must confirm a request, so that its client is answered."""
LIMIT_PERIOD = 1.0
"""Seconds between two exchanges of the keys' limit with the record."""


def api_publisher(settings: Settings) -> Publisher:
    """Make the API's publisher, whose confirms are quick or fail."""
    return open_publisher(
        settings, window=1024, timeout=min(CONFIRM, settings.amqp.confirm_timeout)
    )


def open_acceptor(
    settings: Settings, store: Store, publisher: Publisher, templates: Templates
) -> Acceptor:
    """Wire the acceptance of notifications; neither broker nor record needs to be up."""
    return Acceptor(
        store,
        publisher,
        limits=contract_limits(settings),
        lanes=list(settings.lanes),
        template=TemplateNames(templates).problem,
    )


def open_key_limits(settings: Settings, store: Store) -> tuple[KeyLimits, PeriodicThread]:
    """Wire the rate limit of keys, and its exchange with the other processes of the API."""
    limiter = Limiter(store, key_limit(settings.api.rate, settings.api.burst))
    thread = PeriodicThread("api limits", limiter.refresh, period=LIMIT_PERIOD)
    return KeyLimits(limiter), thread
