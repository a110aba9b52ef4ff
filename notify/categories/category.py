"""A category, and its additions to a message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from notify.categories.links import UnsubscribeLinks
from notify.message import Channel, MailSender, Notification

_ONE_CLICK = ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")


@dataclass(frozen=True, slots=True)
class Category:
    """
    A kind of mail, as the operators define it.

    Attributes:
        sender: The From of its emails; the provider's if None.
        list_id: The identity of its list (RFC 2919), or None.
        subscription: Whether recipients can unsubscribe.
    """

    name: str
    sender: MailSender | None = None
    list_id: str | None = None
    subscription: bool = False


@dataclass(frozen=True, slots=True)
class MailIdentity:
    """
    The additions of a category to one message.

    Attributes:
        headers: Of an email; without line breaks.
        unsubscribe_url: The recipient's link; None if the category is not a subscription.
    """

    sender: MailSender | None = None
    headers: tuple[tuple[str, str], ...] = ()
    unsubscribe_url: str | None = None


PLAIN = MailIdentity()
"""The identity of a message without a category."""


class Categories:
    """
    The configured categories.

    Args:
        categories: By name.
        links: Makes the links to unsubscribe; required if a category is a subscription.
    """

    def __init__(
        self,
        categories: Mapping[str, Category] | None = None,
        links: UnsubscribeLinks | None = None,
    ) -> None:
        self._categories = dict(categories or {})
        self._links = links

    def identity(self, notification: Notification) -> MailIdentity:
        """Return what a notification's category adds; nothing if no category has its name."""
        if notification.category is None:
            return PLAIN
        category = self._categories.get(notification.category)
        if category is None:
            return PLAIN
        url = None
        if category.subscription and self._links is not None:
            url = self._links.link(notification, category.name)
        if notification.channel is not Channel.EMAIL:
            return MailIdentity(unsubscribe_url=url)
        return MailIdentity(category.sender, tuple(_headers(category, url)), url)


def _headers(category: Category, url: str | None) -> list[tuple[str, str]]:
    headers = []
    if category.list_id is not None:
        headers.append(("List-Id", f"<{category.list_id}>"))
    if url is not None:
        # https://www.rfc-editor.org/rfc/rfc8058#section-3.1
        headers += [("List-Unsubscribe", f"<{url}>"), _ONE_CLICK]
    return headers
