"""The words of the service: channels, statuses, and the values that travel through a delivery."""

from __future__ import annotations

import enum
from collections.abc import Mapping
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
    """Where a notification stands. All but the first three are ends."""

    SCHEDULED = "scheduled"
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    REJECTED = "rejected"
    FAILED = "failed"
    EXPIRED = "expired"
    SUPPRESSED = "suppressed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"

    @property
    def final(self) -> bool:
        """Whether no worker will touch the notification again."""
        return self not in (Status.SCHEDULED, Status.QUEUED, Status.SENDING)


class Outcome(enum.StrEnum):
    """How one attempt ended."""

    ACCEPTED = "accepted"
    """The provider took the message."""
    NOT_SENT = "not_sent"
    """Certainly not sent: it could not connect, or the provider said no."""
    UNKNOWN = "unknown"
    """The request left and the answer was lost."""


class Unknown(enum.StrEnum):
    """What to do with a notification whose outcome is unknown."""

    PARK = "park"
    """Never send it again by itself: an operator decides."""
    RESEND = "resend"
    """Send it again, marked as a possible duplicate."""


@dataclass(frozen=True, slots=True)
class Content:
    """The final words of one message, written by the producer or rendered from a template."""

    subject: str = ""
    """The email's subject; the push message's title. One line, free of control characters."""
    text: str = ""
    """The email's plain text; the SMS; the push message's body."""
    html: str = ""
    """The email's HTML, or empty."""


@dataclass(frozen=True, slots=True)
class Notification:
    """What a producer asks for, for one recipient. A batch becomes one of these per recipient."""

    id: UUID
    source: str
    channel: Channel
    lane: str
    to: str
    """An email address, an E.164 phone number, or a device token."""
    idempotency_key: str
    digest: bytes
    """SHA-256 of the request's meaning: the same key with another digest is a conflict."""
    body: bytes
    """The request for this recipient alone, as JSON that keeps the contract."""
    position: int = 0
    """Which recipient of the request this is."""
    batch_id: UUID | None = None
    """The request's id where it had several recipients."""
    template: str | None = None
    inline: Content | None = None
    """What the producer wrote instead of naming a template."""
    data: Mapping[str, Any] = field(default_factory=dict)
    locale: str | None = None
    send_at: datetime | None = None
    """When to send it; now where None or past."""
    expires_at: datetime | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    traceparent: str | None = None
    published_at: datetime | None = field(default=None, compare=False)
    """When its message was published, as far as that tells, or else taken from the broker."""
    public_id: UUID | None = None
    """The producer's id, where the record keeps it under another; None: they are the same."""

    @property
    def ids(self) -> dict[str, str]:
        """What each line of the log about it begins with."""
        return ids(self.id, batch_id=self.batch_id, traceparent=self.traceparent)

    @property
    def identity(self) -> Identity:
        """The source and its id: an id counts within its source, and two may use the same."""
        return self.source, self.id

    @property
    def key(self) -> tuple[str, str, int]:
        """What makes it the same notification, however often it is published."""
        return self.source, self.idempotency_key, self.position

    def expired(self, now: datetime) -> bool:
        """Tell whether it is of no use any more."""
        return self.expires_at is not None and self.expires_at <= now


def ids(
    id_: UUID, *, batch_id: UUID | None = None, traceparent: str | None = None
) -> dict[str, str]:
    """Name a notification for the log: its id, that of its batch, that of its W3C trace."""
    told = {"id": str(id_)}
    if batch_id is not None:
        told["batch_id"] = str(batch_id)
    if traceparent is not None:
        told["trace_id"] = traceparent[3:35]
    return told


@dataclass(frozen=True, slots=True)
class Rendered:
    """One message in its final words, ready for a provider of its channel."""

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
    """Key-value pairs handed to the receiving app (push only)."""
    expires_at: datetime | None = None
    """When it is no longer worth delivering; in UTC."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The provider's word that it took a message."""

    provider_id: str
    """The provider's own id of the message; empty where it gives none."""
    exhausted_for: float | None = None
    """Seconds until it takes another, where it says that this one was the last for now."""
