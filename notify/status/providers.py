"""Providers: what they are configured for, their circuits and limits, and their recent calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from notify.message import Channel
from notify.policies.holds import Hold
from notify.service.flow import breaker_rules, lines_limits
from notify.settings import ProviderSettings, Settings
from notify.status.circuits import CircuitStatus, read_circuits
from notify.status.limits import LimitStatus, read_limits
from notify.store import Store
from notify.store.flow import holds
from notify.store.status import RecentCalls, count_calls

RECENT = timedelta(minutes=5)
"""The span of the recent calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderStatus:
    """One configured provider at this moment."""

    name: str
    configured: ProviderSettings
    channels: Sequence[tuple[Channel, int]]
    """The channels that it sends for, and its place among their providers, from 1."""
    circuit: CircuitStatus
    limits: Sequence[LimitStatus]
    calls: RecentCalls | None
    """Its calls of the last five minutes; None without any."""
    holds: Sequence[Hold]
    """The holds on it."""


def read_providers(settings: Settings, store: Store) -> list[ProviderStatus]:
    """
    Read all configured providers, in the order of their names.

    Raises:
        StoreError: The record cannot be read.
    """
    with store.reads.together():
        return _read(settings, store)


def _read(settings: Settings, store: Store) -> list[ProviderStatus]:
    circuits = read_circuits(store, breaker_rules(settings))
    limits = {each.limit.name: each for each in read_limits(settings, store, everything=False)}
    now = store.clock()
    with store.reading() as connection:
        calls = count_calls(connection, now=now, span=RECENT)
        current, _ = holds.current(connection)
    return [
        ProviderStatus(
            name=name,
            configured=settings.providers[name],
            channels=_channels(settings, name),
            circuit=circuit,
            limits=[limits[each] for each in _limits(settings, name) if each in limits],
            calls=calls.get(name),
            holds=[hold for hold in current if hold.stops_provider(name)],
        )
        for circuit in circuits
        for name in [circuit.circuit.provider]
    ]


def _channels(settings: Settings, provider: str) -> list[tuple[Channel, int]]:
    return [
        (name, channel.providers.index(provider) + 1)
        for name, channel in settings.channels.items()
        if provider in channel.providers
    ]


def _limits(settings: Settings, provider: str) -> list[str]:
    names: dict[str, None] = {}
    for channel, _ in _channels(settings, provider):
        of_channel = lines_limits(settings, channel, provider)
        names |= dict.fromkeys((*of_channel["limits"], *of_channel["moved"]))
    return list(names)
