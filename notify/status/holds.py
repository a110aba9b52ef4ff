"""Holds in force, and what one of them keeps from being sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import amqp

from notify.errors import ConfigError
from notify.message import Channel, Status
from notify.policies.holds import Hold, Scope
from notify.service.broker import open_broker
from notify.settings import Settings
from notify.status.plain import iso
from notify.store import Store
from notify.store.flow import SCOPE_PARTS, holds
from notify.topology import depths, queue_name

Alternatives = Mapping[Channel, Sequence[str]]
"""For each channel that loses a provider, the providers that it still has."""


@dataclass(frozen=True, slots=True)
class HoldStatus:
    """One hold, and how many notifications it has set aside in the record."""

    hold: Hold
    set_aside: int

    def as_json(self) -> dict[str, Any]:
        """Return the hold as `notify holds --json` prints it."""
        return hold_as_json(self.hold) | {"kept": self.set_aside}


@dataclass(frozen=True, slots=True)
class HeldMessages:
    """The messages and notifications that a hold keeps from being sent."""

    queues: Mapping[str, int] | None
    """Messages in RabbitMQ that no worker has taken, by queue; None if it cannot be reached."""
    whole: bool
    """Whether the hold stops all messages in these queues, or only those that match it."""
    rows: Mapping[Status, int]
    """Notifications that wait in the record for their time, by status."""

    def as_json(self) -> dict[str, Any]:
        """Return the counts as `notify hold --json` prints them."""
        return {"queues": self.queues, "whole_queues": self.whole, "record": dict(self.rows)}


def hold_as_json(hold: Hold) -> dict[str, Any]:
    """Return a hold in JSON's types."""
    return {
        "id": hold.id,
        **{name: getattr(hold, name) for name in SCOPE_PARTS},
        "since": iso(hold.since),
        "until": iso(hold.until),
        "actor": hold.actor,
        "reason": hold.reason,
    }


def read_holds(store: Store) -> list[HoldStatus]:
    """
    Read the holds in force, oldest first.

    Raises:
        StoreError: The record cannot be read.
    """
    with store.reading() as connection:
        current, _ = holds.current(connection)
        counts = holds.count_held(connection, [hold.id for hold in current])
    return [HoldStatus(hold, counts.get(hold.id, 0)) for hold in current]


def alternatives(settings: Settings, current: Sequence[Hold], provider: str) -> Alternatives:
    """Return the providers that can take over from *provider*, without those on hold."""
    stopped = {hold.provider for hold in current} | {provider}
    return {
        channel: [name for name in wanted.providers if name not in stopped]
        for channel, wanted in settings.channels.items()
        if provider in wanted.providers
    }


def count_held(
    settings: Settings, store: Store, scope: Scope, *, others: Alternatives
) -> HeldMessages:
    """
    Count what a hold keeps from being sent.

    Args:
        others: For a provider's hold, the remaining providers; only a channel without one waits.

    Raises:
        StoreError: The record cannot be read.
    """
    scopes = [scope]
    if scope.provider is not None:
        scopes = [Scope(channel=channel) for channel, names in others.items() if not names]
    names = [name for each in scopes for name in _queues(settings, each)]
    rows: Counter[Status] = Counter()
    with store.reading() as connection:
        for each in scopes:
            rows.update(holds.count_waiting(connection, each))
    whole = scope.source is None and scope.template is None
    return HeldMessages(_ready(settings, names), whole, rows)


def _queues(settings: Settings, scope: Scope) -> Iterator[str]:
    for channel in Channel:
        for lane in settings.lanes:
            if scope.touches_queue(channel, lane):
                yield queue_name(channel, lane)


def _ready(settings: Settings, names: Sequence[str]) -> dict[str, int] | None:
    if not names:
        return {}
    try:
        with open_broker(settings) as connection:
            found = depths(names, connection)
    except (ConfigError, OSError, amqp.AMQPError):
        return None
    return {name: depth.ready if depth else 0 for name, depth in found.items()}
