"""
The configuration: typed, validated as a whole, and never showing a secret.

Sources, the strongest first: environment variables (`NOTIFY_AMQP__URL`), credentials (files of
those names in $CREDENTIALS_DIRECTORY), the TOML file, defaults. Not here: building anything from
the settings (`service`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from notify.settings.api import ApiSettings
from notify.settings.backends import AmqpSettings, StoreSettings
from notify.settings.brake import BrakeSettings
from notify.settings.categories import CategorySettings
from notify.settings.checks.validation_errors import error_of, validated
from notify.settings.console import ClaimRoles, ConsoleSettings, OidcSettings, ProxySettings
from notify.settings.contract import ContractSettings
from notify.settings.flow import BreakerSettings, CapSettings, LimitSettings
from notify.settings.metrics import API, CONSOLE, WEB
from notify.settings.model import (
    LONGEST_TIMEOUT,
    ChannelSettings,
    LaneSettings,
    LogSettings,
    PoolSettings,
    ProviderSettings,
    Settings,
    TemplateSettings,
)
from notify.settings.privacy import PrivacySettings
from notify.settings.receipts import ReaderSettings, ReceiptsSettings
from notify.settings.secrets import keyring_of, secret_named, secrets_of
from notify.settings.senders import SenderSettings, sms_sender
from notify.settings.sources import read
from notify.settings.tls import ssl_options
from notify.settings.urls import shown_url
from notify.settings.words import DEAD_POOL, RECEIPTS_POOL, RESERVED_POOLS

__all__ = [
    "API",
    "CONSOLE",
    "DEAD_POOL",
    "LONGEST_TIMEOUT",
    "RECEIPTS_POOL",
    "RESERVED_POOLS",
    "WEB",
    "AmqpSettings",
    "ApiSettings",
    "BrakeSettings",
    "BreakerSettings",
    "CapSettings",
    "CategorySettings",
    "ChannelSettings",
    "ClaimRoles",
    "ConsoleSettings",
    "ContractSettings",
    "LaneSettings",
    "LimitSettings",
    "LogSettings",
    "OidcSettings",
    "PoolSettings",
    "PrivacySettings",
    "ProviderSettings",
    "ProxySettings",
    "ReaderSettings",
    "ReceiptsSettings",
    "SenderSettings",
    "Settings",
    "StoreSettings",
    "TemplateSettings",
    "keyring_of",
    "load",
    "secret_named",
    "secrets_of",
    "shown_url",
    "sms_sender",
    "ssl_options",
]


def load(path: Path | None = None, *, environ: Mapping[str, str] = os.environ) -> Settings:
    """
    Return the checked configuration: `path`, else $NOTIFY_CONFIG, else /etc/notify/notify.toml.

    Raises:
        ConfigError: Lists every mistake by its key, with its fix.
    """
    tree = read(path, environ=environ)
    settings, mistakes = validated(tree)
    if settings is None:
        raise error_of(mistakes, file=tree.file)
    return settings
