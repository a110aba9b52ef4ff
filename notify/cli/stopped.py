"""What a hold stops: counted in RabbitMQ's queues and in the record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import amqp

from notify.errors import ConfigError
from notify.message import Channel, Status
from notify.policies.holds import Hold, Scope
from notify.service import open_broker
from notify.settings import Settings
from notify.store import Store
from notify.store.flow import holds as record
from notify.topology import depths, queue_name

Others = Mapping[Channel, Sequence[str]]
"""For each channel that loses a provider, those it still has."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """What waits, or will, because of a hold."""

    queues: Mapping[str, int] | None
    """Messages that no worker has taken yet, by queue; None where RabbitMQ could not be asked."""
    whole: bool
    """Whether all in these queues are stopped; else those among them that the hold fits."""
    rows: Mapping[Status, int]
    """Notifications whose time the record keeps."""


def others(settings: Settings, standing: Sequence[Hold], provider: str) -> Others:
    """Tell through whom each channel of a provider goes on; whom a hold stops is left out."""
    stopped = {hold.provider for hold in standing} | {provider}
    return {
        channel: [name for name in wanted.providers if name not in stopped]
        for channel, wanted in settings.channels.items()
        if provider in wanted.providers
    }


def count(settings: Settings, store: Store, scope: Scope, *, left: Others) -> Stopped:
    """
    Count what a hold stops.

    Args:
        left: Of a provider's hold, through whom its channels go on; the others wait.
    """
    scopes = [scope]
    if scope.provider is not None:
        scopes = [Scope(channel=channel) for channel, names in left.items() if not names]
    names = [name for each in scopes for name in _queues(settings, each)]
    rows: Counter[Status] = Counter()
    with store.reading() as connection:
        for each in scopes:
            rows.update(record.count_waiting(connection, each))
    whole = scope.source is None and scope.template is None
    return Stopped(_counted(settings, names), whole, rows)


def _queues(settings: Settings, scope: Scope) -> Iterator[str]:
    for channel in Channel:
        for lane in settings.lanes:
            if scope.touches_queue(channel, lane):
                yield queue_name(channel, lane)


def _counted(settings: Settings, names: list[str]) -> dict[str, int] | None:
    if not names:
        return {}
    try:
        with open_broker(settings) as connection:
            looked = depths(names, connection)
    except (ConfigError, OSError, amqp.AMQPError):
        return None
    return {name: depth.ready if depth else 0 for name, depth in looked.items()}
