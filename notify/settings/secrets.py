"""A provider's secrets: read when a provider is built, so that other commands need none."""

from __future__ import annotations

import os
from collections.abc import Mapping

from pydantic import SecretStr

from notify.errors import ConfigError
from notify.settings.model import ProviderSettings
from notify.settings.sources import credentials


def secrets_of(
    provider: ProviderSettings, *, environ: Mapping[str, str] = os.environ
) -> dict[str, SecretStr]:
    """
    Return the provider's secrets by option name, from credentials or else the environment.

    Raises:
        ConfigError: Some are not found or empty; the text names all of them.
    """
    missing = [name for _, name in missing_secrets(provider, environ=environ)]
    if missing:
        raise ConfigError(
            f"{provider.use}: no value for {', '.join(missing)}; give each as a file of that name "
            "in $CREDENTIALS_DIRECTORY, or as an environment variable"
        )
    held = {**environ, **_not_empty(credentials(environ))}
    return {option: SecretStr(held[name]) for option, name in provider.secrets.items()}


def missing_secrets(
    provider: ProviderSettings, *, environ: Mapping[str, str] = os.environ
) -> list[tuple[str, str]]:
    """Return the options whose secret is nowhere or empty, with the secret's name."""
    held = {**environ, **_not_empty(credentials(environ))}
    return [(option, name) for option, name in provider.secrets.items() if not held.get(name)]


def _not_empty(values: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}
