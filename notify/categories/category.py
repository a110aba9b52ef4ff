"""A category, and the additions of category and sender to a message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from notify.categories.links import UnsubscribeLinks
from notify.categories.senders import SenderIdentities, SenderIdentity
from notify.channels import CHANNELS
from notify.message import Channel, MailSender, Notification, SmsSender

_ONE_CLICK = ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")


@dataclass(frozen=True, slots=True)
class Category:
    """
    A kind of mail, as the operators define it.

    Attributes:
        sender: Its sender, for requests that name none; the source's or the provider's if None.
        list_id: The identity of its list (RFC 2919), or None.
        subscription: Whether recipients can unsubscribe.
    """

    name: str
    sender: SenderIdentity | None = None
    list_id: str | None = None
    subscription: bool = False


@dataclass(frozen=True, slots=True)
class MailIdentity:
    """
    The additions of category, sender and request to one message.

    Attributes:
        sender: The From of an email; the provider's if None.
        headers: Of an email; without line breaks.
        unsubscribe_url: The recipient's link; None if the category is not a subscription.
        reply_to: The address for replies to an email.
        sms_sender: The sender of an SMS; the provider's if None.
    """

    sender: MailSender | None = None
    headers: tuple[tuple[str, str], ...] = ()
    unsubscribe_url: str | None = None
    reply_to: str | None = None
    sms_sender: SmsSender | None = None


PLAIN = MailIdentity()
"""The identity of a message without category, sender and choices of its own."""


class Categories:
    """
    The configured categories.

    Args:
        categories: By name.
        links: Makes the links to unsubscribe; required if a category is a subscription.
        senders: The named senders.
    """

    def __init__(
        self,
        categories: Mapping[str, Category] | None = None,
        links: UnsubscribeLinks | None = None,
        senders: SenderIdentities | None = None,
    ) -> None:
        self._categories = dict(categories or {})
        self._links = links
        self._senders = senders or SenderIdentities()

    def identity(self, notification: Notification) -> MailIdentity:
        """
        Return the additions of a notification's category, sender and own choices.

        A category or sender that is not configured adds nothing.
        """
        extras, name = notification.extras, notification.category
        category = self._categories.get(name) if name is not None else None
        sender = self._senders.of(notification, category.sender if category else None)
        if category is None and sender is None and extras is None:
            return PLAIN
        url = None
        if category is not None and category.subscription and self._links is not None:
            url = self._links.link(notification, category.name)
        if notification.channel is not Channel.EMAIL:
            return MailIdentity(unsubscribe_url=url, sms_sender=_sms_sender(sender, notification))
        reply_to = extras.reply_to if extras is not None else None
        return MailIdentity(
            sender=sender.mail if sender is not None else None,
            headers=(*_headers(category, url), *(extras.headers if extras is not None else ())),
            unsubscribe_url=url,
            reply_to=reply_to or (sender.reply_to if sender is not None else None),
        )


def _sms_sender(sender: SenderIdentity | None, notification: Notification) -> SmsSender | None:
    if sender is None or not CHANNELS[notification.channel].by_country:
        return None
    return sender.sms_for(notification.to)


def _headers(category: Category | None, url: str | None) -> list[tuple[str, str]]:
    headers = []
    if category is not None and category.list_id is not None:
        headers.append(("List-Id", f"<{category.list_id}>"))
    if url is not None:
        # https://www.rfc-editor.org/rfc/rfc8058#section-3.1
        headers += [("List-Unsubscribe", f"<{url}>"), _ONE_CLICK]
    return headers
