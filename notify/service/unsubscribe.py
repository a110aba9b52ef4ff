"""One-click unsubscribe, by the settings."""

from __future__ import annotations

from datetime import UTC, datetime

from notify.categories import UnsubscribeTokens
from notify.receipts.intake import ReceiptIntake
from notify.receipts.unsubscribe import Unsubscriber
from notify.service.categories import open_categories
from notify.settings import Settings, keyring_of
from notify.store import Store


def open_tokens(settings: Settings) -> UnsubscribeTokens | None:
    """Return the reader of tokens, also of categories that are removed; None without a keyring."""
    keyring = keyring_of(settings.privacy)
    return None if keyring.current is None else UnsubscribeTokens(keyring)


def open_unsubscriber(settings: Settings, store: Store, intake: ReceiptIntake) -> Unsubscriber:
    """
    Wire the use case behind unsubscribe links; it works while the record is away.

    Raises:
        ConfigError: A category is a subscription, and the keyring is missing: every link would be
            answered as unknown.
    """
    open_categories(settings)
    return Unsubscriber(
        open_tokens(settings), store=store, intake=intake, arrival_clock=lambda: datetime.now(UTC)
    )


def category_titles(settings: Settings) -> dict[str, str]:
    """Return the categories' names for people."""
    return {name: each.title or name for name, each in settings.categories.items()}
