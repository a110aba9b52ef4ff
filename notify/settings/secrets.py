"""Secrets, read when they are needed: a provider's when it is built, the record's keyring."""

from __future__ import annotations

import os
from collections.abc import Mapping

from pydantic import SecretStr

from notify.errors import ConfigError
from notify.keyring import CLEAR, NAME, Keyring
from notify.settings.model import ProviderSettings
from notify.settings.privacy import PrivacySettings
from notify.settings.sources import credentials


def secrets_of(
    provider: ProviderSettings, *, environ: Mapping[str, str] = os.environ
) -> dict[str, SecretStr]:
    """
    Return the provider's secrets by option name, from credentials or else the environment.

    Raises:
        ConfigError: Some are not found or empty; the text names all of them.
    """
    missing = [name for _, name in missing_secrets(provider.secrets, environ=environ)]
    if missing:
        raise ConfigError(
            f"{provider.use}: no value for {', '.join(missing)}; give each as a file of that name "
            "in $CREDENTIALS_DIRECTORY, or as an environment variable"
        )
    held = {**environ, **_not_empty(credentials(environ))}
    return {option: SecretStr(held[name]) for option, name in provider.secrets.items()}


def missing_secrets(
    secrets: Mapping[str, str], *, environ: Mapping[str, str] = os.environ
) -> list[tuple[str, str]]:
    """Return the options whose secret is nowhere or empty, with the secret's name."""
    held = {**environ, **_not_empty(credentials(environ))}
    return [(option, name) for option, name in secrets.items() if not held.get(name)]


def keyring_of(privacy: PrivacySettings, *, environ: Mapping[str, str] = os.environ) -> Keyring:
    """
    Read the record's keyring, from credentials or else the environment; without, nothing is sealed.

    Raises:
        ConfigError: It is no keyring, or there is none and there must be one.
    """
    text = credentials(environ).get(NAME) or environ.get(NAME, "")
    if text.strip():
        return Keyring.parse(text)
    if privacy.require_keyring:
        raise ConfigError(
            f"privacy.require_keyring: no value for {NAME}; give it as a file of that name in"
            " $CREDENTIALS_DIRECTORY, or as an environment variable; `notify keyring new` makes one"
        )
    return CLEAR


def _not_empty(values: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}
