"""Secrets, read when they are needed: those of a provider that is built, and the keyring."""

from __future__ import annotations

import os
from collections.abc import Mapping

from pydantic import SecretStr

from notify.errors import ConfigError
from notify.keyring import CLEAR, NAME, Keyring
from notify.settings.model import ProviderSettings
from notify.settings.privacy import PrivacySettings
from notify.settings.receipts import ReaderSettings
from notify.settings.sources import credentials


def secrets_of(
    provider: ProviderSettings | ReaderSettings, *, environ: Mapping[str, str] = os.environ
) -> dict[str, SecretStr]:
    """
    Return the secrets of a provider or of its receipts by option name.

    They come from credentials, or else from the environment.

    Raises:
        ConfigError: Some are missing or empty; the text names all of them.
    """
    missing = [name for _, name in missing_secrets(provider.secrets, environ=environ)]
    if missing:
        raise ConfigError(
            f"{provider.use}: no value for {', '.join(missing)}; provide each as a file of that "
            "name in $CREDENTIALS_DIRECTORY, or as an environment variable"
        )
    values = {**environ, **_not_empty(credentials(environ))}
    return {option: SecretStr(values[name]) for option, name in provider.secrets.items()}


def missing_secrets(
    secrets: Mapping[str, str], *, environ: Mapping[str, str] = os.environ
) -> list[tuple[str, str]]:
    """Return the options whose secret is missing or empty, with the secret's name."""
    values = {**environ, **_not_empty(credentials(environ))}
    return [(option, name) for option, name in secrets.items() if not values.get(name)]


def secret_named(name: str, *, option: str, environ: Mapping[str, str] = os.environ) -> SecretStr:
    """
    Return a secret by its name, from credentials, else from the environment.

    Args:
        option: The option that names it, for the error.

    Raises:
        ConfigError: It is missing or empty.
    """
    value = credentials(environ).get(name) or environ.get(name)
    if not value:
        raise ConfigError(
            f"{option}: no value for {name}; provide it as a file of that name in"
            " $CREDENTIALS_DIRECTORY, or as an environment variable"
        )
    return SecretStr(value)


def keyring_of(privacy: PrivacySettings, *, environ: Mapping[str, str] = os.environ) -> Keyring:
    """
    Return the keyring from credentials, else from the environment; without one, nothing is sealed.

    Raises:
        ConfigError: It is malformed, or is missing and required.
    """
    text = credentials(environ).get(NAME) or environ.get(NAME, "")
    if text.strip():
        return Keyring.parse(text)
    if privacy.require_keyring:
        raise ConfigError(
            f"privacy.require_keyring: no value for {NAME}; `notify keyring new` creates one;"
            " provide it as a file of that name in $CREDENTIALS_DIRECTORY, or as an environment"
            " variable"
        )
    return CLEAR


def _not_empty(values: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}
