"""A message in its final form, as a provider sends it, and the provider's confirmation."""

from __future__ import annotations

import base64
import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from notify.message.push import NO_OPTIONS, PushOptions


@dataclass(frozen=True, slots=True)
class MailSender:
    """The identity that an email comes from."""

    address: str
    name: str | None = None
    """The name shown with the address."""


class SmsSenderKind(enum.StrEnum):
    """The form of an SMS's sender."""

    NUMBER = "number"
    """A phone number in E.164 form, or a short code."""
    ALPHANUMERIC = "alphanumeric"
    """Up to 11 letters, digits and spaces, with a letter; recipients cannot answer."""
    MESSAGING_SERVICE = "messaging_service"
    """Twilio's id of a pool of senders; other vendors do not know it."""


@dataclass(frozen=True, slots=True)
class SmsSender:
    """The identity that an SMS comes from."""

    value: str
    """A number in E.164 form, a short code, letters, or a vendor's id of a messaging service."""
    kind: SmsSenderKind


@dataclass(frozen=True, slots=True)
class Attachment:
    """One file of an email."""

    name: str
    """The file's name: one printable line without slashes."""
    type: str
    """Its media type in lower case, such as application/pdf."""
    content: str = field(repr=False)
    """The file in base64 (RFC 4648, 4), padded, without line breaks."""
    content_id: str | None = None
    """Of an image that the HTML shows as `cid:<content_id>`; None if the file is not inline."""

    @property
    def decoded(self) -> bytes:
        """The file."""
        return base64.b64decode(self.content)


@dataclass(frozen=True, slots=True)
class Rendered:
    """One message in its final form, ready for a provider of its channel."""

    notification_id: UUID
    attempt_id: UUID
    to: str
    subject: str = ""
    """The email's subject; the push message's title."""
    text: str = ""
    """The email's plain text; the SMS; the push message's body."""
    html: str = ""
    """The email's HTML, or empty."""
    data: Mapping[str, str] = field(default_factory=dict)
    """The metadata, for the receiving app (push only)."""
    expires_at: datetime | None = None
    """When it is no longer worth delivering; in UTC."""
    sender: MailSender | None = None
    """The From of this email; the provider's own if None."""
    headers: Sequence[tuple[str, str]] = ()
    """Further headers of this email, such as List-Id; in ASCII, each on one line."""
    reply_to: str | None = None
    """The address for replies to this email; its From if None."""
    attachments: Sequence[Attachment] = ()
    """The files of this email; those with a content id are shown in its HTML."""
    sms_sender: SmsSender | None = None
    """The sender of this SMS; the provider's own if None, or if its vendor has no such kind."""
    push: PushOptions = NO_OPTIONS
    """The options of this push message."""

    @property
    def app_data(self) -> dict[str, str]:
        """The key-value pairs that the receiving app gets, with our ids (push only)."""
        ids = {"notify_id": str(self.notification_id), "attempt_id": str(self.attempt_id)}
        push = self.push
        if push is NO_OPTIONS:
            return {**self.data, **ids}
        addresses = {"link": push.link, "image": push.image}
        own = {name: address for name, address in addresses.items() if address is not None}
        return {**self.data, **push.data, **own, **ids}

    def push_life(self, now: float, *, longest: int) -> int | None:
        """
        Return the seconds for which a push service may keep the message; None if it may choose.

        Args:
            now: Seconds since 1970.
            longest: The most that the push service accepts.
        """
        life = self.push.ttl
        if self.expires_at is not None:
            left = int(self.expires_at.timestamp() - now)
            life = left if life is None else min(life, left)
        return None if life is None else min(max(life, 0), longest)


@dataclass(frozen=True, slots=True)
class Receipt:
    """The provider's confirmation that it accepted a message."""

    provider_id: str
    """The provider's own id of the message; empty if it has none."""
    exhausted_for: float | None = None
    """Seconds until it accepts another message, if it reported that this was the last for now."""
