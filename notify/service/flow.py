"""Flow control by the settings: limits, circuits, holds, caps."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import partial

import structlog

from notify.channels import CHANNELS, country_of
from notify.errors import StoreError
from notify.flow import Circuits, Flow, Guard, Holds, Limiter, LimitPer, OwnLimit, OwnLimits
from notify.message import Channel
from notify.periodic import PeriodicThread
from notify.policies.breaker import Rules
from notify.policies.caps import Cap, CapPer, Countries, Period, daily_spend, plain_hash
from notify.policies.ratelimit import Limit
from notify.settings import ChannelSettings, Settings, keyring_of
from notify.store import Store

REFRESH_PERIOD = 0.5
"""Seconds between two exchanges: an operator's override is in force everywhere within 2 s."""

log = structlog.get_logger("notify.flow")


def open_flow(settings: Settings, store: Store) -> Flow:
    """Wire one process's flow control; nothing is known before its first `refresh`."""
    keyring = keyring_of(settings.privacy)
    hashed = partial(keyring.hashed, "limit") if keyring.current else plain_hash
    return Flow(
        store=store,
        circuits=Circuits(
            store,
            breaker_rules(settings),
            rng=random.Random(),  # noqa: S311 - it spreads open times and guards nothing
        ),
        limiter=Limiter(store, limits(settings)),
        holds=Holds(store),
        guard=Guard(store, caps=caps(settings), countries=countries(settings), hashed=hashed),
        own_limits=OwnLimits(own_limits(settings), country=country_of, hashed=hashed),
    )


def flow_refresh(flow: Flow) -> PeriodicThread:
    """Refresh flow control once, before anything is consumed, and wire its further refreshes."""
    try:
        flow.refresh()
    except StoreError as error:
        log.warning("notify.flow_unknown", reason=str(error))
    return PeriodicThread("flow", flow.refresh, period=REFRESH_PERIOD, pause=REFRESH_PERIOD)


def breaker_rules(settings: Settings) -> dict[str, Rules]:
    """Return the rules of each provider's circuit."""
    return {
        name: Rules(**provider.breaker.model_dump())
        for name, provider in settings.providers.items()
    }


def limits(settings: Settings) -> dict[str, Limit]:
    """Return all limits by name: the configured ones, each provider's, and those of failover."""
    named = {name: Limit(name, limit.rate, limit.burst) for name, limit in settings.limits.items()}
    for name, provider in settings.providers.items():
        own = provider_limit(name)
        named[own] = Limit(own, provider.rate, provider.burst)
    for channel in settings.channels.values():
        for name in _moved_to(channel):
            rate = settings.providers[name].rate
            if rate is not None:
                moved = failover_limit(name)
                named[moved] = Limit(moved, rate * channel.failover_share, None)
    return named


def provider_limit(name: str) -> str:
    """Return the name of a provider's own rate limit."""
    return f"provider:{name}"


def failover_limit(name: str) -> str:
    """Return the name of the limit on messages that fail over to a provider."""
    return f"failover:{name}"


def lines_limits(settings: Settings, channel: Channel, name: str) -> dict[str, tuple[str, ...]]:
    """Return the names of a provider's limits, as arguments of `ConfiguredProvider`."""
    moves = name in _moved_to(settings.channels[channel])
    return {
        "limits": (provider_limit(name), *settings.providers[name].limits),
        "moved": (failover_limit(name),) if moves else (),
    }


def _moved_to(channel: ChannelSettings) -> list[str]:
    """Return the providers that accept a limited share of other providers' messages."""
    if channel.failover_share == 1:
        return []
    return list(channel.providers) if channel.weights else list(channel.providers[1:])


def own_limits(settings: Settings) -> list[OwnLimit]:
    """Return the limits that apply to each source, recipient or country separately."""
    return [
        OwnLimit(name, LimitPer(limit.per), limit.channel, frozenset(limit.exempt))
        for name, limit in settings.limits.items()
        if limit.per is not None
    ]


def caps(settings: Settings) -> list[Cap]:
    """Return the caps, including the daily spend of channels."""
    return [*_named_caps(settings), *_spend(settings)]


def _named_caps(settings: Settings) -> Iterator[Cap]:
    for name, cap in settings.caps.items():
        yield Cap(
            name=name,
            most=cap.most,
            period=Period(cap.period),
            per=CapPer(cap.per),
            channel=cap.channel,
            exempt=frozenset(cap.exempt),
            sources=cap.sources,
        )


def _spend(settings: Settings) -> Iterator[Cap]:
    for name, channel in settings.channels.items():
        if channel.daily_spend is not None:
            yield daily_spend(name, channel.daily_spend)


def countries(settings: Settings) -> dict[Channel, Countries]:
    """Return the allowed countries, and the prices in each, of the channels that have countries."""
    return {
        name: Countries(channel.countries, channel.prices)
        for name, channel in settings.channels.items()
        if CHANNELS[name].by_country
    }
