"""Connections to RabbitMQ, and the topology that it must have."""

from __future__ import annotations

from collections.abc import Callable

import amqp

from notify.message import Channel
from notify.publisher import Publisher, connect
from notify.settings import Settings, ssl_options
from notify.topology import Topology


def topology_of(settings: Settings) -> Topology:
    """Return the exchanges, queues and bindings that these settings need."""
    return Topology.of(list(Channel), settings.lanes)


def open_broker(
    settings: Settings, *, timeout: float = 5.0, on_alarm: Callable[[bool], None] | None = None
) -> amqp.Connection:
    """
    Open one connection to the broker, without publisher confirms.

    Args:
        timeout: Seconds for each read and write.
        on_alarm: Called with True when the broker blocks publishers, else with False.

    Raises:
        ConfigError: The address is wrong, or the broker refuses the user or virtual host.
        OSError, amqp.AMQPError: It cannot be reached.
    """
    url = settings.amqp.url.get_secret_value()
    return connect(url, timeout=timeout, ssl=ssl_options(settings.amqp), on_alarm=on_alarm)


def open_publisher(
    settings: Settings, *, window: int = 256, timeout: float | None = None
) -> Publisher:
    """
    Make a publisher; nothing is connected before the first message.

    Confirms must come within *timeout* seconds; within those of the settings, if it is None.

    It stamps the login's name if the contract requires one: consumers accept the service's own name
    for any source, and a producer's name for its own source.
    """
    return Publisher(
        settings.amqp.url.get_secret_value(),
        timeout=timeout or settings.amqp.confirm_timeout,
        window=window,
        heartbeat=settings.amqp.heartbeat,
        ssl=ssl_options(settings.amqp),
        user_id=settings.amqp.user if settings.contract.require_user_id else None,
    )
