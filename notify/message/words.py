"""Channels, statuses, outcomes, and the rules for an unknown one."""

from __future__ import annotations

import enum


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
