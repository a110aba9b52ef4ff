"""A producer's request for one recipient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from notify.message.extras import Extras
from notify.message.words import Channel

Identity = tuple[str, UUID]
"""A source, and the id of one of its notifications."""


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
    extras: Extras | None = None
    """The request's own choices beside its content; None if it makes none."""
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
