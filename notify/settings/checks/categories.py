"""Checks of categories: what a subscription needs, defaults, and senders that must differ."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from notify.errors import ConfigError
from notify.message import Channel
from notify.provider import AddsUnsubscribe
from notify.settings.categories import CategorySettings
from notify.settings.checks.classes import named_class
from notify.settings.checks.finding import ConfigFinding, names_in, shown_key, table_in
from notify.settings.model import Settings
from notify.settings.secrets import keyring_of
from notify.settings.sources import Tree

NEEDS_KEYRING = (
    "needs the credential NOTIFY_KEYRING, which makes unsubscribe links; `notify keyring new`"
    " creates one"
)
"""The text for a subscription without a keyring, also when a worker starts."""
NEEDS_PUBLIC_URL = "needs receipts.public_url, with which unsubscribe links begin; set it"
"""The text for a subscription without an address."""


def category_problems(tree: Tree) -> Iterator[ConfigFinding]:
    """Yield the mistakes of categories that the values alone show."""
    owners: dict[str, str] = {}
    for name, options in table_in(tree.values, "categories").items():
        for source in names_in(options, "default_for"):
            owner = owners.setdefault(source, name)
            if owner != name:
                key = shown_key(("categories", name, "default_for"), tree)
                text = f"{source} already has the default {owner}; keep one of them"
                yield ConfigFinding(key, text)
        if _is_subscription(options) and "public_url" not in table_in(tree.values, "receipts"):
            key = shown_key(("categories", name, "subscription"), tree)
            yield ConfigFinding(key, NEEDS_PUBLIC_URL)


def _is_subscription(options: Any) -> bool:
    value = options.get("subscription", False) if isinstance(options, dict) else False
    return str(value).lower() in ("true", "1", "yes", "on")


def subscription_problems(
    settings: Settings, tree: Tree, *, environ: Mapping[str, str] = os.environ
) -> Iterator[ConfigFinding]:
    """Yield the mistakes of subscriptions: no keyring, or a vendor that adds its own links."""
    names = [name for name, each in settings.categories.items() if each.subscription]
    if not names:
        return
    if not _has_keys(settings, environ):
        key = shown_key(("categories", names[0], "subscription"), tree)
        yield ConfigFinding(key, NEEDS_KEYRING)
    for provider, option in _own_links(settings):
        key = shown_key(("providers", provider, "options", option), tree)
        text = (
            f"its vendor would add its own unsubscribe links beside those of the category"
            f" {names[0]}, and exactly one party may; remove it"
        )
        yield ConfigFinding(key, text)


def sender_doubts(settings: Settings, tree: Tree) -> Iterator[ConfigFinding]:
    """Yield what large mailbox providers object to in subscriptions."""
    url = settings.receipts.public_url or ""
    subscriptions = {name: each for name, each in settings.categories.items() if each.subscription}
    if subscriptions and not url.startswith("https://"):
        text = "is not https, which one-click unsubscribe requires (RFC 8058); change it"
        yield ConfigFinding(shown_key(("receipts", "public_url"), tree), text)
    others = senders_of_others(settings)
    for name, category in subscriptions.items():
        yield from _sender_doubt(name, address_of(category, settings), others, tree)


def senders_of_others(settings: Settings) -> dict[str, str]:
    """Return the From addresses of mail that is not a subscription, each with its key."""
    found = {}
    email = settings.channels.get(Channel.EMAIL)
    for provider in email.providers if email else []:
        sender = settings.providers[provider].options.get("sender")
        if isinstance(sender, str):
            found[sender.lower()] = f"providers.{provider}.options.sender"
    subscriptions = set()
    for name, category in settings.categories.items():
        if category.subscription:
            subscriptions.add(category.sender)
        elif (address := address_of(category, settings)) is not None:
            found[address.lower()] = f"categories.{name}.sender"
    for name, sender in settings.senders.items():
        if sender.address is not None and name not in subscriptions:
            found[sender.address.lower()] = f"senders.{name}.address"
    return found


def address_of(category: CategorySettings, settings: Settings) -> str | None:
    """Return the From address of a category's emails; None if it has none of its own."""
    if category.sender is None or not category.names_sender:
        return category.sender
    return settings.senders[category.sender].address


def _sender_doubt(
    name: str, address: str | None, others: Mapping[str, str], tree: Tree
) -> Iterator[ConfigFinding]:
    advice = "Gmail wants subscriptions and other mail to come from different addresses"
    key = shown_key(("categories", name, "sender"), tree)
    if address is None:
        if others:
            yield ConfigFinding(key, f"is not set, so the provider's is used; {advice}; set it")
    elif (other := others.get(address.lower())) is not None:
        yield ConfigFinding(key, f"is also {other}; {advice}; use another")


def _has_keys(settings: Settings, environ: Mapping[str, str]) -> bool:
    try:
        return keyring_of(settings.privacy, environ=environ).current is not None
    except ConfigError:
        # Reported as a mistake of the keyring.
        return True


def _own_links(settings: Settings) -> Iterator[tuple[str, str]]:
    email = settings.channels.get(Channel.EMAIL)
    for name in email.providers if email else []:
        provider = settings.providers[name]
        try:
            factory = named_class(provider.use)
        except ConfigError:
            continue
        if isinstance(factory, AddsUnsubscribe):
            yield from ((name, option) for option in factory.own_unsubscribe(provider.options))
