"""Checks that each provider can be imported, serves its channel, and accepts its options."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from notify.errors import ConfigError
from notify.message import Channel
from notify.provider import OptionChecker
from notify.settings.checks.classes import named_class
from notify.settings.checks.finding import ConfigFinding, names_in, suggestion, table_in
from notify.settings.model import ProviderSettings
from notify.settings.receipts import ReaderSettings
from notify.settings.sources import Tree

BY_SERVICE = frozenset({"public_url", "receipts_url"})
"""Parameters of providers and readers that the service sets: addresses of the intake."""


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
    yield from argument_problems(factory, provider)


def _channels_of(name: str, tree: Tree) -> list[str]:
    channels = table_in(tree.values, "channels")
    return [each for each, options in channels.items() if name in names_in(options, "providers")]


def argument_problems(
    factory: Any, wanted: ProviderSettings | ReaderSettings
) -> Iterator[tuple[str, str]]:
    """Yield the options and secrets that a class refuses or lacks: the key, and what to do."""
    yield from _names(factory, wanted)
    if isinstance(factory, OptionChecker):
        options = {**dict.fromkeys(wanted.secrets), **wanted.options}
        for option, text in factory.wrong_options(options):
            yield f"options.{option}", text


def _names(factory: Any, wanted: ProviderSettings | ReaderSettings) -> Iterator[tuple[str, str]]:
    parameters = inspect.signature(factory).parameters
    given = {**dict.fromkeys(wanted.options, "options")}
    for option in wanted.secrets:
        if option in given:
            yield f"secrets.{option}", "is also under `options`; keep one of them"
        given[option] = "secrets"
    yield from _unknown(given, parameters)
    for option, parameter in parameters.items():
        named = parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        needed = named and parameter.default is parameter.empty and option not in BY_SERVICE
        if needed and option not in given:
            yield f"options.{option}", "is missing: set it, or name it under `secrets`"


def _unknown(
    given: Mapping[str, str], parameters: Mapping[str, inspect.Parameter]
) -> Iterator[tuple[str, str]]:
    open_ended = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
    known = [each for each in parameters if each not in BY_SERVICE]
    for option, where in given.items():
        if option in BY_SERVICE:
            yield f"{where}.{option}", "follows from receipts.public_url; remove it here"
        elif option not in known and not open_ended:
            yield f"{where}.{option}", f"unknown option; {suggestion(option, known)}"
