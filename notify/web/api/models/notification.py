"""Notifications as they are read, listed and cancelled."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from notify.message import Channel, Outcome, Status
from notify.web.api.models.document import Document, Limit, Short, Text


class StepView(Document):
    """One step of a notification's timeline."""

    at: datetime
    name: str = Field(description="Such as `received`, `attempt 1 begun` or a status.")
    status: Status | None = Field(default=None, description="The status since then, if it changed.")
    details: str


class AttemptView(Document):
    """One call to a provider."""

    number: int
    provider: str
    started_at: datetime
    ended_at: datetime | None
    outcome: Outcome | None
    provider_id: str | None
    http_status: int | None
    code: str | None
    reason: str | None


class ReceiptView(Document):
    """A report about a notification that was sent."""

    provider: str = Field(description="`producer` for feedback.")
    event: str
    word: str = Field(description="The vendor's own word for the event.")
    code: str | None
    reason: str | None
    at: datetime | None = Field(description="By the vendor's clock.")
    received_at: datetime


class SummaryView(Document):
    """One notification."""

    id: UUID
    batch_id: UUID | None
    position: int = Field(description="Which recipient of the request this is, from 0.")
    source: str
    channel: Channel
    lane: str
    template: str | None
    category: str | None
    to: str = Field(description="The recipient, masked: `a•••@example.com`.")
    status: Status
    reason: str | None
    attempts: int
    possible_duplicate: bool
    due_at: datetime | None = Field(description="When it is sent or looked up, while it waits.")
    received_at: datetime
    updated_at: datetime
    expires_at: datetime | None
    idempotency_key: str


class NotificationView(SummaryView):
    """One notification with everything that happened to it."""

    timeline: list[StepView]
    calls: list[AttemptView]
    receipts: list[ReceiptView]


class BatchView(Document):
    """The recipients of one request by status; `GET /v1/notifications?batch=ID` lists them."""

    batch_id: UUID
    counts: dict[Status, int]


class NotificationsView(Document):
    """One page of notifications, the newest first."""

    notifications: list[SummaryView]
    next: str | None = Field(
        description="The `after` of the next page; null at the end. A page may be empty and have"
        " one: each examines a bounded number of notifications."
    )


class NotificationsQuery(Document):
    """Which notifications to list."""

    status: Status | None = None
    channel: Channel | None = None
    lane: Short | None = None
    template: Short | None = None
    category: Short | None = None
    batch: UUID | None = Field(default=None, description="Only the recipients of this batch.")
    limit: Limit = 50
    after: Annotated[str, Field(pattern=r"^\d{1,17}\.\d{1,10}\.[0-9a-f]{32}$")] | None = Field(
        default=None, description="The `next` of the page before."
    )


class CancelBody(Document):
    """Why a notification is cancelled."""

    reason: Annotated[Text, Field(max_length=500)] = Field(
        default="", description="Kept in the audit."
    )


class CancelledView(Document):
    """The result of cancelling a notification or a batch."""

    cancelled: list[UUID]
    left: dict[UUID, Status] = Field(description="Those for which it was too late.")
