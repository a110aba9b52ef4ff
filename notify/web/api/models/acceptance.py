"""The answers to what was sent, and errors."""

from __future__ import annotations

from uuid import UUID

from pydantic import Field

from notify.apikeys import Acceptance
from notify.web.api.models.document import Document


class MistakeView(Document):
    """One mistake, as `notify lint` reports it."""

    request: int = Field(description="The notification that it is in, from 0.")
    where: str = Field(description="The JSON path; empty for the whole request.")
    why: str = Field(description="The reason.")
    hint: str = Field(description="What to do about it.")
    line: int | None = Field(default=None, description="Counted from 1, of broken JSON.")
    column: int | None = Field(default=None, description="Counted from 1, of broken JSON.")


class AcceptedView(Document):
    """One notification that was accepted."""

    id: UUID = Field(description="Its id; of the batch, if it has several recipients.")
    status: Acceptance = Field(
        description="`accepted` once RabbitMQ has confirmed it; `replayed` if the same request was"
        " accepted before; `unconfirmed` (in an answer 503 only) if it may be lost."
    )
    members: list[UUID] | None = Field(
        default=None, description="The ids of a batch's recipients, in their order."
    )


class AcceptedManyView(Document):
    """The notifications of an array or of JSON Lines, in their order."""

    notifications: list[AcceptedView]


class ProblemView(Document):
    """An error (RFC 9457)."""

    type: str = Field(description="Its kind, `urn:notify:problem:<kind>`.")
    title: str = Field(description="The kind in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="The explanation of this occurrence.")
    problems: list[MistakeView] = Field(default_factory=list, description="Every mistake.")
    requests: list[int] = Field(
        default_factory=list, description="The notifications that contradict earlier requests."
    )
    notifications: list[AcceptedView] = Field(
        default_factory=list, description="What is known of each notification."
    )


class FeedbackView(Document):
    """Feedback that RabbitMQ has confirmed."""

    id: UUID = Field(description="The notification.")
