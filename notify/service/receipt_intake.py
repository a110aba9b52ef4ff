"""The web intake of receipts, by the settings."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pkgutil import resolve_name

from notify.errors import ConfigError
from notify.periodic import PeriodicThread
from notify.publisher import Publisher
from notify.receipt import ReceiptReader
from notify.receipts.inbox import RecordInbox
from notify.receipts.intake import ReceiptIntake
from notify.receipts.intake_metrics import IntakeMetrics
from notify.relays import InboxRows, Relay
from notify.service.broker import open_publisher
from notify.service.receipt_address import RECEIPTS_PATH
from notify.service.record import check_tables
from notify.settings import Settings, secrets_of
from notify.store import Store
from notify.telemetry.metrics import Metrics

CONFIRM = 0.6
"""Seconds in which the broker must confirm receipts, so that a vendor is answered within one."""
INBOX_PERIOD = 1.0
"""Seconds between two looks at the inbox while it is empty."""


def open_readers(
    settings: Settings, *, only: str | None = None, environ: Mapping[str, str] = os.environ
) -> dict[str, ReceiptReader]:
    """
    Build the readers of all providers that have receipts, without any key that can send.

    Args:
        settings: The configuration.
        only: The one provider whose reader is needed; None for all.
        environ: The environment, for secrets.

    Raises:
        ConfigError: None is configured, and no category is a subscription; or one cannot be
            built. The text names its key.
    """
    if only is not None:
        provider = settings.providers.get(only)
        if provider is None or provider.receipts is None:
            raise ConfigError(f"add a table [providers.{only}.receipts] (docs/receipts.md)")
        return {only: _reader(settings, only, environ)}
    readers = {}
    for name, provider in settings.providers.items():
        if provider.receipts is not None:
            for posted_to in (name, *settings.former_names(name)):
                readers[posted_to] = _reader(settings, name, environ, posted_to=posted_to)
    if not readers and not any(each.subscription for each in settings.categories.values()):
        raise ConfigError(
            "no provider has receipts: add a table [providers.NAME.receipts] (docs/receipts.md)"
        )
    return readers


def _reader(
    settings: Settings, name: str, environ: Mapping[str, str], *, posted_to: str | None = None
) -> ReceiptReader:
    public, wanted = settings.receipts.public_url, settings.providers[name].receipts
    if public is None or wanted is None:
        raise ConfigError(
            "receipts.public_url is missing: set the address that vendors reach, such as"
            " https://notify.example.com"
        )
    secrets = {
        option: secret.get_secret_value()
        for option, secret in secrets_of(wanted, environ=environ).items()
    }
    key = f"providers.{name}.receipts"
    try:
        build = resolve_name(wanted.use)
        url = f"{public}{RECEIPTS_PATH}/{posted_to or name}"
        reader: ReceiptReader = build(public_url=url, **wanted.options, **secrets)
    except (ImportError, AttributeError):
        raise ConfigError(f"{key}.use: {wanted.use} cannot be imported") from None
    except (TypeError, ValueError) as error:
        kind = type(error).__name__
        raise ConfigError(
            f"{key}: {wanted.use} does not accept these options or secrets ({kind});"
            " run `notify config check` for the reason"
        ) from None
    return reader


def intake_publisher(settings: Settings) -> Publisher:
    """Make the intake's publisher, whose confirms are quick or fail."""
    return open_publisher(settings, timeout=min(CONFIRM, settings.amqp.confirm_timeout))


def open_intake(
    settings: Settings,
    store: Store,
    publisher: Publisher,
    metrics: Metrics,
    *,
    only: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> ReceiptIntake:
    """
    Wire the intake; neither broker nor record needs to be up.

    Args:
        settings: The configuration.
        store: The record.
        publisher: Publishes the receipts.
        metrics: Where they are counted.
        only: The one provider whose receipts come; None for all.
        environ: The environment, for secrets.

    Raises:
        ConfigError: A reader cannot be built.
    """
    readers = open_readers(settings, only=only, environ=environ)

    def check() -> None:
        check_tables(store)
        store.check_keys(now=store.clock())

    return ReceiptIntake(
        readers,
        publisher=publisher,
        inbox=RecordInbox(store, check=check),
        metrics=IntakeMetrics(metrics, providers=list(readers)),
        # Not the record's clock, which may be away: this only says when a vendor's request came.
        clock=lambda: datetime.now(UTC),
    )


def inbox_relay(store: Store, publisher: Publisher) -> PeriodicThread:
    """Wire the relay that publishes what the intake stored while the broker was away."""
    step = Relay(InboxRows(), store, publisher).step
    return PeriodicThread("receipts relay", step, period=INBOX_PERIOD)
