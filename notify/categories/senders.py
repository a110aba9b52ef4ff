"""The named senders, and which of them a notification has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from notify.channels import country_of
from notify.message import Channel, MailSender, Notification, SmsSender


@dataclass(frozen=True, slots=True)
class SenderIdentity:
    """
    A sender, as the operators define it.

    Attributes:
        mail: The From of its emails; None if it has none.
        reply_to: The address for replies to them, unless the request has one.
        sms: The sender of its SMS; None if it has none.
        sms_by_country: The same by ISO 3166 code, for countries with another one.
    """

    mail: MailSender | None = None
    reply_to: str | None = None
    sms: SmsSender | None = None
    sms_by_country: Mapping[str, SmsSender] = field(default_factory=dict)

    def sms_for(self, number: str) -> SmsSender | None:
        """Return the sender of an SMS to an E.164 number."""
        if not self.sms_by_country:
            return self.sms
        return self.sms_by_country.get(country_of(number) or "", self.sms)


class SenderIdentities:
    """
    The configured senders.

    Args:
        senders: By name.
        defaults: By source and channel, the name of the sender of requests that choose none.
    """

    def __init__(
        self,
        senders: Mapping[str, SenderIdentity] | None = None,
        defaults: Mapping[tuple[str, Channel], str] | None = None,
    ) -> None:
        self._senders = dict(senders or {})
        self._defaults = {key: self._senders[name] for key, name in (defaults or {}).items()}

    def of(
        self, notification: Notification, category: SenderIdentity | None
    ) -> SenderIdentity | None:
        """
        Return the sender that a request names; else that of its category or its source.

        Args:
            category: The sender of the notification's category.
        """
        extras = notification.extras
        if extras is not None and extras.sender is not None:
            return self._senders.get(extras.sender)
        if category is not None or not self._defaults:
            return category
        return self._defaults.get((notification.source, notification.channel))
