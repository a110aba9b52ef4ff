"""The vocabulary of the service: channels, statuses, and the values of a delivery."""

from __future__ import annotations

import enum
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

Identity = tuple[str, UUID]
"""A source, and the id of one of its notifications."""


class Channel(enum.StrEnum):
    """How a notification reaches a person."""

    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"


class Status(enum.StrEnum):
    """A notification's status. All but the first three are final."""

    SCHEDULED = "scheduled"
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    FAILED = "failed"
    EXPIRED = "expired"
    SUPPRESSED = "suppressed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"

    @property
    def final(self) -> bool:
        """Whether it is an end; `UNKNOWN` still changes if a look-up is due."""
        return self not in (Status.SCHEDULED, Status.QUEUED, Status.SENDING)


class Outcome(enum.StrEnum):
    """How one attempt ended."""

    ACCEPTED = "accepted"
    """The provider accepted the message."""
    NOT_SENT = "not_sent"
    """Certainly not sent: no connection, or the provider refused it."""
    UNKNOWN = "unknown"
    """The request left and the answer was lost."""


class Unknown(enum.StrEnum):
    """The rule for a notification with an unknown outcome."""

    PARK = "park"
    """Never send it again by itself: an operator decides."""
    RESEND = "resend"
    """Send it again, marked as a possible duplicate."""


@dataclass(frozen=True, slots=True)
class Content:
    """The final text of one message, written by the producer or rendered from a template."""

    subject: str = ""
    """The email's subject; the push message's title. One line, free of control characters."""
    text: str = ""
    """The email's plain text; the SMS; the push message's body."""
    html: str = ""
    """The email's HTML, or empty."""


@dataclass(frozen=True, slots=True)
class SharedBody:
    """The part of a large batch's body that all of its recipients have in common."""

    id: UUID
    content: bytes


@dataclass(frozen=True, slots=True)
class Notification:
    """A producer's request for one recipient. A batch becomes one for each recipient."""

    id: UUID
    source: str
    channel: Channel
    lane: str
    to: str
    """An email address, an E.164 phone number, or a device token."""
    idempotency_key: str
    digest: bytes
    """SHA-256 of the request's content: the same key with another digest is a conflict."""
    body: bytes
    """
    The request for this recipient alone, as JSON according to the contract; without the shared
    part, if it has one.
    """
    shared: SharedBody | None = field(default=None, compare=False)
    """The rest of the body, stored once for the batch; None if `body` is complete."""
    position: int = 0
    """Which recipient of the request this is."""
    batch_id: UUID | None = None
    """The request's id if it had several recipients."""
    template: str | None = None
    category: str | None = None
    """The kind of mail, as the configuration names it."""
    inline: Content | None = None
    """The producer's own text, instead of a template."""
    data: Mapping[str, Any] = field(default_factory=dict)
    locale: str | None = None
    send_at: datetime | None = None
    """When to send it; now if None or past."""
    expires_at: datetime | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    traceparent: str | None = None
    published_at: datetime | None = field(default=None, compare=False)
    """When its message was published, if that is known; else when it was received."""
    public_id: UUID | None = None
    """The producer's id, if the row has another one; None if they are the same."""

    @property
    def ids(self) -> dict[str, str]:
        """The fields that identify it in every log line."""
        return ids(self.id, batch_id=self.batch_id, traceparent=self.traceparent)

    @property
    def identity(self) -> Identity:
        """Its source and id: an id is unique within its source only."""
        return self.source, self.id

    @property
    def key(self) -> tuple[str, str, int]:
        """Its key: two messages with the same key ask for the same notification."""
        return self.source, self.idempotency_key, self.position

    def expired(self, now: datetime) -> bool:
        """Return whether it has expired at *now*."""
        return self.expires_at is not None and self.expires_at <= now


def ids(
    id_: UUID, *, batch_id: UUID | None = None, traceparent: str | None = None
) -> dict[str, str]:
    """Return the log fields of a notification: its id, its batch's, and its W3C trace's."""
    fields = {"id": str(id_)}
    if batch_id is not None:
        fields["batch_id"] = str(batch_id)
    if traceparent is not None:
        fields["trace_id"] = traceparent[3:35]
    return fields


@dataclass(frozen=True, slots=True)
class MailSender:
    """The identity that an email comes from."""

    address: str
    name: str | None = None
    """The name shown with the address."""


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
    """Key-value pairs for the receiving app (push only)."""
    expires_at: datetime | None = None
    """When it is no longer worth delivering; in UTC."""
    sender: MailSender | None = None
    """The From of this email; the provider's own if None."""
    headers: Sequence[tuple[str, str]] = ()
    """Further headers of this email, such as List-Id; in ASCII, each on one line."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The provider's confirmation that it accepted a message."""

    provider_id: str
    """The provider's own id of the message; empty if it has none."""
    exhausted_for: float | None = None
    """Seconds until it accepts another message, if it reported that this was the last for now."""


_VERSION = 7 << 76
_VARIANT = 0b10 << 62
_RANDOM = (0xFFF << 64) | ((1 << 62) - 1)


def time_id(
    *, clock: Callable[[], float] = time.time, random: Callable[[int], bytes] = os.urandom
) -> UUID:
    """
    Return a new id: 48 bits of milliseconds since 1970, and 74 random bits (UUID version 7).

    Rows with such ids are written at the end of an index. Random ids are written all over it, so
    that an index larger than memory costs a read of the disk for each row.
    """
    bits = int.from_bytes(random(10), "big") & _RANDOM
    return UUID(int=int(clock() * 1000) << 80 | _VERSION | _VARIANT | bits)


def lowest_id(at: datetime) -> UUID:
    """Return an id that is not greater than any of a time or later."""
    return UUID(int=int(at.timestamp() * 1000) << 80)
