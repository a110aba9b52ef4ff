"""The events that subscribers read: one JSON object for each change of a notification's status."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from notify.message import Channel, Status


class Event(BaseModel):
    """
    One change of a notification's status, version 1 of its JSON form.

    It has no recipient and no content, so that a subscriber sees no personal data unless a producer
    put some into its own metadata or idempotency key.
    """

    model_config = ConfigDict(frozen=True)

    v: Literal[1] = Field(1, description="The version of this form; new fields may join it.")
    event_id: UUID = Field(
        description="The same whenever this event is published again, and the AMQP message_id."
    )
    sequence: int = Field(
        description="Grows with each event of a notification: one with a smaller number is older."
    )
    at: datetime = Field(description="When the status changed, in UTC.")
    id: UUID = Field(description="The notification: the request's id, or a batch member's own.")
    batch_id: UUID | None = Field(description="The request's id where it had several recipients.")
    position: int = Field(description="Which recipient of the request this is, from 0.")
    source: str = Field(description="The service that asked for it.")
    channel: Channel = Field(description="How it reaches the person.")
    lane: str = Field(description="How urgent it is.")
    idempotency_key: str = Field(description="The producer's key, or the request's id.")
    template: str | None = Field(description="The template; null where the content was inline.")
    status: Status = Field(description="The notification's status since then.")
    reason: str | None = Field(
        description="Why it has this status, if the status alone does not say it."
    )
    attempts: int = Field(description="How many calls were made to providers.")
    provider: str | None = Field(description="The provider of the last call, if one was made.")
    provider_id: str | None = Field(description="The provider's own id of the message.")
    code: str | None = Field(description="The provider's error code.")
    possible_duplicate: bool = Field(
        description="Whether it was sent again after a call whose answer was lost."
    )
    metadata: dict[str, str] = Field(description="The request's metadata, as it was.")

    @property
    def routing_key(self) -> str:
        """The key it is published with: `<channel>.<status>.<source>`."""
        return f"{self.channel}.{self.status}.{self.source}"


def event_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of an event, for subscribers in any language."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:notify:event:v1",
        **Event.model_json_schema(mode="serialization"),
        "title": "notify event",
    }
