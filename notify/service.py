"""The composition root: settings in, wired parts out. Nothing else constructs across layers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pkgutil import resolve_name

import amqp

from notify.delivery import Delivery, Limits
from notify.errors import ConfigError
from notify.gateway import Gateway, Line
from notify.message import Channel
from notify.provider import Provider
from notify.publisher import connect
from notify.settings import PoolSettings, Settings, secrets_of, ssl_options
from notify.store import Store
from notify.templating import Templates
from notify.topology import Topology

SPARE_CONNECTIONS = 4
"""Database connections of a worker: its claimers, its recorder, and one more."""


def open_store(settings: Settings) -> Store:
    """Make the record's store; nothing is opened before the first use."""
    return Store.open(settings.store.url.get_secret_value(), pool_size=SPARE_CONNECTIONS)


def open_templates(settings: Settings) -> Templates:
    """Find the templates: the operator's folder before the packaged one."""
    return Templates(settings.templates.folder, default_locale=settings.templates.default_locale)


def topology_of(settings: Settings) -> Topology:
    """Tell what the broker must hold for these settings."""
    return Topology.of(list(Channel), settings.lanes)


def open_broker(settings: Settings, *, timeout: float = 5.0) -> amqp.Connection:
    """
    Connect to the broker, plainly.

    Raises:
        ConfigError: The address is wrong, or the broker refuses the user or virtual host.
        OSError, amqp.AMQPError: It cannot be reached.
    """
    url = settings.amqp.url.get_secret_value()
    return connect(url, timeout=timeout, ssl=ssl_options(settings.amqp))


def open_gateway(
    settings: Settings, channel: Channel, *, environ: Mapping[str, str] = os.environ
) -> Gateway:
    """
    Build the providers of one channel, in their order.

    Raises:
        ConfigError: One cannot be built; the text names its key.
    """
    names = settings.channels[channel].providers
    return Gateway(channel, [Line(name, _provider(settings, name, environ)) for name in names])


def _provider(settings: Settings, name: str, environ: Mapping[str, str]) -> Provider:
    wanted = settings.providers[name]
    secrets = {
        option: secret.get_secret_value()
        for option, secret in secrets_of(wanted, environ=environ).items()
    }
    try:
        build = resolve_name(wanted.use)
        provider: Provider = build(**wanted.options, **secrets)
    except (ImportError, AttributeError):
        raise ConfigError(f"providers.{name}.use: {wanted.use} cannot be imported") from None
    except (TypeError, ValueError) as error:
        # The text of a constructor's refusal may show the value that it refuses.
        kind = type(error).__name__
        raise ConfigError(
            f"providers.{name}: {wanted.use} does not take these options or secrets ({kind});"
            " `notify config check` tells more"
        ) from None
    return provider


def open_delivery(settings: Settings, pool: PoolSettings) -> Delivery:
    """Wire one pool's delivery: store, templates and the providers of its channel."""
    return Delivery(
        store=open_store(settings),
        templates=open_templates(settings),
        gateways={pool.channel: open_gateway(settings, pool.channel)},
        limits=Limits(
            max_body_bytes=settings.contract.max_body_bytes,
            max_recipients=settings.contract.max_recipients,
            require_user_id=settings.contract.require_user_id,
        ),
        concurrency=pool.concurrency,
    )
