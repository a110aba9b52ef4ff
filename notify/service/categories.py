"""The categories, by the settings."""

from __future__ import annotations

from urllib.parse import urlsplit

from notify.categories import Categories, Category, SenderIdentity, UnsubscribeLinks
from notify.errors import ConfigError
from notify.message import MailSender
from notify.service.senders import open_senders, sender_identity
from notify.settings import CategorySettings, Settings, keyring_of
from notify.settings.checks import NEEDS_KEYRING, NEEDS_PUBLIC_URL


def open_categories(settings: Settings) -> Categories:
    """
    Return the categories, with what they add to messages.

    Raises:
        ConfigError: One is a subscription, and the public URL or the keyring is missing.
    """
    subscription = next(
        (name for name, each in settings.categories.items() if each.subscription), None
    )
    links = _links(settings, subscription) if subscription is not None else None
    categories = {name: _category(name, settings) for name in settings.categories}
    return Categories(categories, links, open_senders(settings))


def exempt_categories(settings: Settings) -> frozenset[str]:
    """Return the categories that only a binding suppression stops."""
    return frozenset(name for name, each in settings.categories.items() if each.critical)


def list_id_of(name: str, settings: Settings) -> str | None:
    """Return the List-Id of a category: its own, or that of a subscription; else None."""
    category = settings.categories[name]
    host = urlsplit(settings.receipts.public_url or "").hostname
    if category.list_id is not None or not category.subscription or host is None:
        return category.list_id
    return f"{name}.{host}"


def _links(settings: Settings, subscription: str) -> UnsubscribeLinks:
    key = f"categories.{subscription}.subscription"
    if settings.receipts.public_url is None:
        raise ConfigError(f"{key}: {NEEDS_PUBLIC_URL}")
    keyring = keyring_of(settings.privacy)
    if keyring.current is None:
        raise ConfigError(f"{key}: {NEEDS_KEYRING}")
    return UnsubscribeLinks(keyring, settings.receipts.public_url)


def _sender(options: CategorySettings, settings: Settings) -> SenderIdentity | None:
    if options.sender is None:
        return None
    if options.names_sender:
        return sender_identity(settings.senders[options.sender])
    return SenderIdentity(MailSender(options.sender, options.sender_name))


def _category(name: str, settings: Settings) -> Category:
    options = settings.categories[name]
    return Category(
        name=name,
        sender=_sender(options, settings),
        list_id=list_id_of(name, settings),
        subscription=options.subscription,
    )
