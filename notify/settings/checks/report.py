"""The full check of a configuration, for `notify config check`: imports, secrets, file modes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from notify.errors import ConfigError
from notify.settings.backends import AmqpSettings
from notify.settings.checks.categories import sender_doubts, subscription_problems
from notify.settings.checks.exposure import Exposure, exposures
from notify.settings.checks.finding import (
    ConfigFinding,
    names_in,
    no_value,
    shown_key,
    table_in,
)
from notify.settings.checks.lines import located
from notify.settings.checks.network import unprotected, unused_proxies
from notify.settings.checks.provider_signature import signature_problems, timeout_of
from notify.settings.checks.readers import reader_doubts, reader_mistakes
from notify.settings.checks.validation_errors import validated
from notify.settings.model import Settings, TemplateSettings
from notify.settings.privacy import PrivacySettings
from notify.settings.secrets import keyring_of, missing_secrets
from notify.settings.sources import Tree, read
from notify.settings.tls import ssl_options
from notify.settings.words import Section, is_secret_name

_Section = TypeVar("_Section", bound=Section)


@dataclass(frozen=True, slots=True)
class ConfigReport:
    """
    The result of `check`.

    Attributes:
        settings: None if there are mistakes that prevent loading.
        exposures: Secrets that other users can read.
    """

    file: Path | None
    settings: Settings | None
    mistakes: list[ConfigFinding]
    doubts: list[ConfigFinding]
    exposures: list[Exposure]

    @property
    def warnings(self) -> list[ConfigFinding]:
        """Warnings, which do not prevent a start."""
        return [*(each.finding for each in self.exposures), *self.doubts]


def check(path: Path | None = None, *, environ: Mapping[str, str] = os.environ) -> ConfigReport:
    """
    Return every mistake and every warning. Providers are imported, never built.

    Raises:
        ConfigError: The file cannot be read, or is not TOML.
    """
    tree = read(path, environ=environ)
    settings, mistakes = validated(tree)
    mistakes += [*signature_problems(tree), *_missing_files(tree), *_missing_secrets(tree, environ)]
    mistakes += [*_keyring(tree, environ), *reader_mistakes(tree, environ)]
    doubts = []
    if settings is not None:
        mistakes += subscription_problems(settings, tree, environ=environ)
        doubts = [*_unserved(settings, tree), *_unused(settings), *_never_slow(settings)]
        doubts += sender_doubts(settings, tree)
        doubts += unprotected(settings, tree, environ=environ)
        doubts += reader_doubts(settings, tree)
    doubts += unused_proxies(environ)
    exposed = list(exposures(tree, environ))
    return ConfigReport(
        tree.file, settings, located(mistakes, tree), located(doubts, tree), exposed
    )


def _missing_files(tree: Tree) -> Iterator[ConfigFinding]:
    amqp = _section(AmqpSettings, tree, "amqp")
    try:
        if amqp is not None:
            ssl_options(amqp)
    except ConfigError as error:
        key, _, text = str(error).partition(": ")
        yield ConfigFinding(key, text)
    templates = _section(TemplateSettings, tree, "templates")
    folder = templates.folder if templates is not None else None
    if folder is not None and not folder.is_dir():
        key = shown_key(("templates", "folder"), tree)
        yield ConfigFinding(key, "no such folder; create it, or remove the line")


def _section(model: type[_Section], tree: Tree, name: str) -> _Section | None:
    """Return one section, whatever the others contain; None if it has mistakes of its own."""
    try:
        return model.model_validate(tree.values.get(name, {}))
    except ValidationError:
        return None


def _missing_secrets(tree: Tree, environ: Mapping[str, str]) -> Iterator[ConfigFinding]:
    providers = table_in(tree.values, "providers")
    for name in sorted(_named_by_channels(tree) & providers.keys()):
        raw = providers[name]
        secrets = table_in(raw, "secrets") if isinstance(raw, dict) else {}
        # A name of another form is reported already, and may be a secret itself.
        good = {option: each for option, each in secrets.items() if is_secret_name(each)}
        for option, secret in missing_secrets(good, environ=environ):
            key = shown_key(("providers", name, "secrets", option), tree)
            yield ConfigFinding(key, no_value(secret))


def _named_by_channels(tree: Tree) -> set[str]:
    channels = table_in(tree.values, "channels").values()
    return {name for options in channels for name in names_in(options, "providers")}


def _keyring(tree: Tree, environ: Mapping[str, str]) -> Iterator[ConfigFinding]:
    privacy = _section(PrivacySettings, tree, "privacy")
    try:
        if privacy is not None:
            keyring_of(privacy, environ=environ)
    except ConfigError as error:
        key, _, text = str(error).partition(": ")
        yield ConfigFinding(key, text)


def _in_use(settings: Settings) -> list[str]:
    return sorted({name for each in settings.channels.values() for name in each.providers})


def _unserved(settings: Settings, tree: Tree) -> Iterator[ConfigFinding]:
    served = {(pool.channel, lane) for pool in settings.pools.values() for lane in pool.lanes}
    for channel in settings.channels:
        for lane in settings.lanes:
            if (channel, lane) not in served:
                text = f"no pool consumes {channel}.{lane}; add the lane to a pool of this channel"
                yield ConfigFinding(f"lanes.{lane}", text)
    for name, pool in settings.pools.items():
        by_default = tree.origin(("pools", name, "channel")).kind == "default"
        if pool.channel not in settings.channels and not by_default:
            text = f"cannot start: channels.{pool.channel} has no provider"
            yield ConfigFinding(f"pools.{name}", text)


def _unused(settings: Settings) -> Iterator[ConfigFinding]:
    if not settings.channels:
        yield ConfigFinding("channels", "none has a provider, so nothing can be sent; add one")
    for name in sorted(settings.providers.keys() - set(_in_use(settings))):
        yield ConfigFinding(f"providers.{name}", "no channel lists it, so it is never used")

    shown_key = {limit for provider in settings.providers.values() for limit in provider.limits}
    for name, limit in settings.limits.items():
        if limit.per is None and name not in shown_key:
            yield ConfigFinding(f"limits.{name}", "no provider lists it, so it limits nothing")


def _never_slow(settings: Settings) -> Iterator[ConfigFinding]:
    for name in _in_use(settings):
        provider = settings.providers[name]
        timeout = timeout_of(provider)
        if timeout is not None and provider.breaker.slow_call >= timeout:
            text = "not below the provider's timeout, so no call counts as slow; lower it"
            yield ConfigFinding(f"providers.{name}.breaker.slow_call", text)
