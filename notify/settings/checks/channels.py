"""Checks of a channel's options against each other: weights, failover, countries, prices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from notify.channels import CHANNELS
from notify.policies.caps import EVERYWHERE
from notify.settings.checks.finding import suggestion
from notify.settings.model import ChannelSettings, ProviderSettings

OptionProblem = tuple[tuple[str, ...], str]
"""The option, below its channel, and the text of the mistake."""


_BY_COUNTRY = [name.value for name, each in CHANNELS.items() if each.by_country]


def channel_problems(
    name: str, channel: ChannelSettings, providers: Mapping[str, ProviderSettings]
) -> Iterator[OptionProblem]:
    """
    Yield the mistakes of one channel.

    Args:
        name: The channel's name.
        channel: Its options, each valid by itself.
        providers: The configured providers that are valid by themselves.
    """
    yield from _weights(channel)
    yield from _failover(channel, providers)
    if name in _BY_COUNTRY:
        yield from _countries(channel)
        yield from _prices(name, channel)
    else:
        for option in ("countries", "prices", "daily_spend"):
            if option in channel.model_fields_set:
                where = " or ".join(f"channels.{each}" for each in _BY_COUNTRY)
                yield (option,), f"belongs to {where}; remove it"


def _weights(channel: ChannelSettings) -> Iterator[OptionProblem]:
    if "weights" not in channel.model_fields_set:
        return
    for provider in channel.weights:
        if provider not in channel.providers:
            hint = suggestion(provider, channel.providers)
            yield ("weights", provider), f"is not a provider of this channel; {hint}"
    for position, provider in enumerate(channel.providers):
        if provider not in channel.weights:
            text = f"has none for provider number {position + 1}; 0 reserves it for failover"
            yield ("weights",), text
    if not any(channel.weights.values()):
        yield ("weights",), "must contain one above 0"


def _failover(
    channel: ChannelSettings, providers: Mapping[str, ProviderSettings]
) -> Iterator[OptionProblem]:
    if channel.failover_share == 1:
        return
    first = 0 if channel.weights else 1
    for name in channel.providers[first:]:
        if name in providers and providers[name].rate is None:
            text = (
                f"is a share of providers.{name}.rate, which is not set; set that, or remove this"
            )
            yield ("failover_share",), text
    if len(channel.providers) == 1:
        yield ("failover_share",), "has no effect with one provider; add another, or remove this"


def _countries(channel: ChannelSettings) -> Iterator[OptionProblem]:
    if not channel.countries:
        text = (
            'is missing: list the countries that may receive SMS, such as ["DE", "US"], '
            'or write ["*"] to allow all'
        )
        yield ("countries",), text


def _prices(name: str, channel: ChannelSettings) -> Iterator[OptionProblem]:
    if channel.daily_spend is not None and not channel.prices:
        yield ("daily_spend",), f"cannot be counted without channels.{name}.prices; add them"
        return
    everywhere = EVERYWHERE in channel.countries
    for country in channel.prices:
        if not everywhere and country not in {*channel.countries, EVERYWHERE}:
            text = f"is not in channels.{name}.countries; add it there, or remove"
            yield ("prices", country), text
    if channel.daily_spend is None or EVERYWHERE in channel.prices:
        return
    for country in channel.countries:
        if country not in channel.prices:
            text = f"has no price for {country}, which daily_spend needs; add it, or one for *"
            yield ("prices",), text
