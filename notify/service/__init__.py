"""The composition root: settings in, wired parts out. Nothing else constructs across layers."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from pkgutil import resolve_name

import amqp

from notify.contract import Limits
from notify.deadletters import Archive
from notify.delivery import Delivery
from notify.errors import ConfigError
from notify.flow import PrefetchPolicy
from notify.gateway import ConfiguredProvider, Gateway
from notify.ledger import RecordMetrics
from notify.message import Channel
from notify.policies.retry import RetryPolicy, RetrySettings, Unknown, UnknownRules
from notify.provider import Provider
from notify.publisher import Publisher, connect
from notify.reconcile import Reconciler
from notify.relays import BATCH_SIZE, EventRelay, Relay
from notify.service.flow import lines_limits, open_flow
from notify.service.metrics import watch
from notify.service.pipeline import Pipeline, rates
from notify.service.record import check_tables as check_tables
from notify.service.record import open_store as open_store
from notify.service.record import opened_record as opened_record
from notify.settings import PoolSettings, Settings, secrets_of, ssl_options
from notify.telemetry.metrics import Metrics
from notify.telemetry.tracing import NOT_TRACED, Tracing
from notify.templating import Templates
from notify.topology import Topology

CONNECTIONS_OF_A_LANE = 2
"""Database connections of each lane: its claimers."""


def open_templates(settings: Settings) -> Templates:
    """Find the templates: the operator's folder before the packaged one."""
    return Templates(settings.templates.folder, default_locale=settings.templates.default_locale)


def topology_of(settings: Settings) -> Topology:
    """Tell what the broker must hold for these settings."""
    return Topology.of(list(Channel), settings.lanes)


def open_broker(
    settings: Settings, *, timeout: float = 5.0, on_alarm: Callable[[bool], None] | None = None
) -> amqp.Connection:
    """
    Connect to the broker, plainly.

    Args:
        timeout: Seconds for each read and write.
        on_alarm: Told when the broker takes no messages, and when it does again.

    Raises:
        ConfigError: The address is wrong, or the broker refuses the user or virtual host.
        OSError, amqp.AMQPError: It cannot be reached.
    """
    url = settings.amqp.url.get_secret_value()
    return connect(url, timeout=timeout, ssl=ssl_options(settings.amqp), on_alarm=on_alarm)


def open_gateway(
    settings: Settings, channel: Channel, *, environ: Mapping[str, str] = os.environ
) -> Gateway:
    """
    Build the providers of one channel, in their order.

    Raises:
        ConfigError: One cannot be built; the text names its key.
    """
    names = settings.channels[channel].providers
    return Gateway(
        channel,
        [
            ConfiguredProvider(
                name, _provider(settings, name, environ), **lines_limits(settings, channel, name)
            )
            for name in names
        ],
        weights=settings.channels[channel].weights,
        rng=random.Random(),  # noqa: S311 - it spreads load and guards nothing
    )


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


UNKNOWN = {Channel.EMAIL: Unknown.RESEND, Channel.SMS: Unknown.PARK, Channel.PUSH: Unknown.RESEND}
"""What is done where nobody knows whether a message was sent, if the configuration is silent."""


def retry_policy(settings: Settings, gateways: Collection[Gateway]) -> RetryPolicy:
    """Make the rules of what follows a call through one of *gateways*."""
    lanes = settings.lanes
    return RetryPolicy(
        lanes={
            name: RetrySettings(
                attempts=lane.attempts,
                deadline=timedelta(seconds=lane.deadline),
                first=timedelta(seconds=lane.first_wait),
                most=timedelta(seconds=lane.longest_wait),
            )
            for name, lane in lanes.items()
        },
        unknown=UnknownRules(
            channels=UNKNOWN
            | {
                channel: one.unknown
                for channel, one in settings.channels.items()
                if one.unknown is not None
            },
            lanes={
                (name, channel): rule
                for name, lane in lanes.items()
                for channel, rule in lane.unknown.items()
            },
            templates=settings.templates.unknown,
        ),
        lookups={
            gateway.channel: timedelta(seconds=settings.channels[gateway.channel].lookup_after)
            for gateway in gateways
            if gateway.can_find
        },
        rng=random.Random(),  # noqa: S311 - it spreads retries and guards nothing
    )


def open_relay(settings: Settings) -> Relay:
    """Wire a relay: a store of its own, and a publisher to the worker queues."""
    return Relay(open_store(settings), open_publisher(settings))


def open_reconciler(settings: Settings, pool: PoolSettings, templates: Templates) -> Reconciler:
    """Wire a pool's reconciler: a store and providers of its own, the delivery's templates."""
    gateway = open_gateway(settings, pool.channel)
    return Reconciler(
        store=open_store(settings),
        templates=templates,
        gateway=gateway,
        policy=retry_policy(settings, [gateway]),
    )


def open_announcer(settings: Settings) -> EventRelay:
    """Wire an announcer: a store of its own, and a publisher to those who subscribe."""
    # A whole handful in flight: with less room, the rest would trickle out one by one.
    return EventRelay(open_store(settings), open_publisher(settings, window=BATCH_SIZE))


def open_publisher(settings: Settings, *, window: int = 256) -> Publisher:
    """
    Make a publisher; nothing is connected before the first message.

    It stamps the login's name where the contract asks for one: consumers take the service's own
    for any source, and a producer's for its own.
    """
    return Publisher(
        settings.amqp.url.get_secret_value(),
        timeout=settings.amqp.confirm_timeout,
        window=window,
        heartbeat=settings.amqp.heartbeat,
        ssl=ssl_options(settings.amqp),
        user_id=settings.amqp.user if settings.contract.require_user_id else None,
    )


def open_delivery(
    settings: Settings, pool: PoolSettings, metrics: Metrics, tracing: Tracing = NOT_TRACED
) -> Pipeline:
    """Wire one pool's delivery: store, templates, the providers of its channel, flow control."""
    gateway = open_gateway(settings, pool.channel)
    store = open_store(settings, connections=CONNECTIONS_OF_A_LANE * len(pool.lanes))
    flow = open_flow(settings, store)
    shares = {name: settings.lanes[name].share for name in pool.lanes}
    templates = open_templates(settings)
    delivery = Delivery(
        store=store,
        templates=templates,
        gateway=gateway,
        flow=flow,
        shares=shares,
        limits=contract_limits(settings),
        policy=retry_policy(settings, [gateway]),
        concurrency=pool.concurrency,
        metrics=metrics,
        tracing=tracing,
    )
    most = pool.prefetch_count
    appetite = PrefetchPolicy(flow, gateway, rates=rates(settings), shares=shares, most=most)
    way = Pipeline(delivery, flow, appetite, templates)
    watch(metrics, way, settings, pool)
    return way


def open_census(settings: Settings, metrics: Metrics) -> RecordMetrics:
    """Wire what tells Prometheus of the whole record."""
    return RecordMetrics(open_store(settings), metrics)


def open_archive(settings: Settings, metrics: Metrics) -> Archive:
    """Wire the archive of dead letters."""
    return Archive(
        open_store(settings),
        metrics=metrics,
        limits=contract_limits(settings),
        delivery_limits={name: lane.delivery_limit for name, lane in settings.lanes.items()},
    )


def contract_limits(settings: Settings) -> Limits:
    """Return the configured limits on a message, with the service's own AMQP user as trusted."""
    return Limits(
        max_body_bytes=settings.contract.max_body_bytes,
        max_recipients=settings.contract.max_recipients,
        require_user_id=settings.contract.require_user_id,
        trusted_user=settings.amqp.user,
    )
