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
    held = credentials(environ)
    found = {
        option: held.get(name) or environ.get(name) for option, name in secrets_named(provider)
    }
    missing = [name for option, name in secrets_named(provider) if not found[option]]
    if missing:
        raise ConfigError(
            f"{provider.use}: no value for {', '.join(missing)}; give each as a file of that name "
            "in $CREDENTIALS_DIRECTORY, or as an environment variable"
        )
    return {option: SecretStr(value) for option, value in found.items() if value}


def secrets_named(provider: ProviderSettings) -> list[tuple[str, str]]:
    """Return the provider's options that are secrets, with the name of each secret."""
    return sorted(provider.secrets.items())
