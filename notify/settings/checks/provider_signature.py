"""Checks that each provider can be imported, serves its channel, and accepts its options."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from notify.errors import ConfigError
from notify.message import Channel
from notify.provider import OptionChecker
from notify.settings.checks.classes import named_class
from notify.settings.checks.finding import ConfigFinding, names_in, suggestion, table_in
from notify.settings.model import ProviderSettings
from notify.settings.sources import Tree


def signature_problems(tree: Tree) -> list[ConfigFinding]:
    """Return the mistakes between the providers' tables and their classes."""
    findings = []
    for name, raw in table_in(tree.values, "providers").items():
        try:
            provider = ProviderSettings.model_validate(raw)
        except ValidationError:
            # Reported with the other mistakes of the file.
            continue
        findings += [
            ConfigFinding(f"providers.{name}.{key}", text)
            for key, text in _misfits(provider, name, tree)
        ]
    return findings


def timeout_of(provider: ProviderSettings) -> float | None:
    """Return the timeout of a call in seconds, as configured or by the class's default."""
    try:
        parameters = inspect.signature(named_class(provider.use)).parameters
    except (ConfigError, TypeError, ValueError):
        return None
    usual = parameters["timeout"].default if "timeout" in parameters else None
    seconds = provider.options.get("timeout", usual)
    return seconds if isinstance(seconds, int | float) else None


def _misfits(provider: ProviderSettings, name: str, tree: Tree) -> Iterator[tuple[str, str]]:
    try:
        factory = named_class(provider.use)
    except ConfigError as error:
        yield "use", str(error)
        return
    channel = getattr(factory, "channel", None)
    if not callable(factory) or channel not in list(Channel):
        yield "use", f"is not a provider: its class has no channel ({', '.join(Channel)})"
        return
    for user in _channels_of(name, tree):
        if user != channel:
            yield "use", f"sends {channel}, but channels.{user} lists it"
    yield from _arguments(factory, provider)
    if isinstance(factory, OptionChecker):
        options = {**dict.fromkeys(provider.secrets), **provider.options}
        for option, text in factory.wrong_options(options):
            yield f"options.{option}", text


def _channels_of(name: str, tree: Tree) -> list[str]:
    channels = table_in(tree.values, "channels")
    return [each for each, options in channels.items() if name in names_in(options, "providers")]


def _arguments(factory: Any, provider: ProviderSettings) -> Iterator[tuple[str, str]]:
    parameters = inspect.signature(factory).parameters
    given = {**dict.fromkeys(provider.options, "options")}
    for option in provider.secrets:
        if option in given:
            yield f"secrets.{option}", "is also under `options`; keep one of them"
        given[option] = "secrets"
    open_ended = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
    for option, where in given.items():
        if option not in parameters and not open_ended:
            yield f"{where}.{option}", f"unknown option; {suggestion(option, list(parameters))}"
    for option, parameter in parameters.items():
        named = parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        if named and parameter.default is parameter.empty and option not in given:
            yield f"options.{option}", "is missing: set it, or name it under `secrets`"
