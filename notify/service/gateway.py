"""The providers of one channel, by the settings."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from inspect import signature
from pkgutil import resolve_name
from typing import Any

from notify.errors import ConfigError
from notify.gateway import ConfiguredProvider, Gateway
from notify.message import Channel
from notify.provider import Provider
from notify.service.flow import lines_limits
from notify.service.receipt_address import receipts_url
from notify.settings import Settings, secrets_of


def open_gateway(
    settings: Settings, channel: Channel, *, environ: Mapping[str, str] = os.environ
) -> Gateway:
    """
    Build the providers of one channel, in their order.

    Raises:
        ConfigError: One cannot be built; the text names its key.
    """
    names = settings.channels[channel].providers
    return Gateway(
        channel,
        [
            ConfiguredProvider(
                name, _provider(settings, name, environ), **lines_limits(settings, channel, name)
            )
            for name in names
        ],
        weights=settings.channels[channel].weights,
        rng=random.Random(),  # noqa: S311 - it spreads load and guards nothing
    )


def _receipts(settings: Settings, name: str, build: Any) -> dict[str, str]:
    """Return the address of the provider's receipts, if it must name one in each request."""
    url = receipts_url(settings, name)
    return {"receipts_url": url} if url and "receipts_url" in signature(build).parameters else {}


def _provider(settings: Settings, name: str, environ: Mapping[str, str]) -> Provider:
    wanted = settings.providers[name]
    secrets = {
        option: secret.get_secret_value()
        for option, secret in secrets_of(wanted, environ=environ).items()
    }
    try:
        build = resolve_name(wanted.use)
        provider: Provider = build(**wanted.options, **secrets, **_receipts(settings, name, build))
    except (ImportError, AttributeError):
        raise ConfigError(f"providers.{name}.use: {wanted.use} cannot be imported") from None
    except (TypeError, ValueError) as error:
        # The text of a constructor's error may contain the value that it refuses.
        kind = type(error).__name__
        raise ConfigError(
            f"providers.{name}: {wanted.use} does not accept these options or secrets ({kind});"
            " run `notify config check` for the reason"
        ) from None
    return provider
