"""Feedback: the message in which a producer reports that its notification arrived, or did not."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from notify.channels import Identity, Instant, Strict, Version
from notify.contract.envelope import Incoming
from notify.contract.limits import Limits
from notify.contract.reports import read_report

FEEDBACK_KEY = "feedback"
"""The first word of the routing key `feedback.<source>`."""

_HINTS = {
    "v": "write 1",
    "id": "write the notification's id, a UUID",
    "outcome": "write `confirmed` or `failed`",
    "at": "write an RFC 3339 time with its zone, such as 2026-11-25T10:00:00Z",
    "note": "write a code such as `code_used`: a-z, 0-9, _ . and -, at most 64, no personal data",
}


class FeedbackOutcome(enum.StrEnum):
    """The producer's own knowledge about a notification."""

    CONFIRMED = "confirmed"
    """It arrived: the code was used, the app showed it, the link was opened."""
    FAILED = "failed"
    """It did not arrive, as far as the producer can see."""


class FeedbackMessage(Strict):
    """A producer's feedback on one of its own notifications, version 1. Null means absent."""

    v: Version | None = Field(default=1, description="Version of this contract.")
    id: Identity = Field(
        description="The notification: the request's id, or a batch member's own.",
        examples=["0d9c2f0e-6f3b-4c59-9a55-0f4b7f2f6f10"],
    )
    outcome: Annotated[FeedbackOutcome, Field(strict=False)] = Field(
        description="`confirmed` if it arrived; `failed` if it did not."
    )
    at: Instant | None = Field(
        default=None,
        description="When that was (RFC 3339, with zone); if absent, when the message arrives.",
        examples=["2026-11-25T10:00:00Z"],
    )
    note: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.-]{0,63}$")] | None = Field(
        default=None,
        description="A code of your own that the timeline shows, without personal data.",
        examples=["code_used"],
    )


@dataclass(frozen=True, slots=True)
class Feedback:
    """Feedback on a notification of a source."""

    source: str
    id: UUID
    outcome: FeedbackOutcome
    at: datetime | None
    note: str | None


def read_feedback(incoming: Incoming, limits: Limits) -> Feedback:
    """
    Return the feedback in a message.

    Raises:
        RequestInvalid: It breaks the contract; the text names the field, never a value.
    """
    source, message = read_report(
        incoming, limits, kind=FEEDBACK_KEY, model=FeedbackMessage, hints=_HINTS
    )
    return Feedback(source, message.id, message.outcome, message.at, message.note)


def feedback_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of feedback, for producers in any language."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:notify:feedback:v1",
        **FeedbackMessage.model_json_schema(),
        "title": "notify feedback",
    }
