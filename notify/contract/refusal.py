"""The event of a refused message, for its producer: where it is wrong, why, and what to do."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from notify.contract.problem import Problem
from notify.message import Channel

REFUSED = "refused"
"""The status in the routing key; no notification has it."""


class RefusalCause(enum.StrEnum):
    """Why a message was refused, in one word; dead letters have the same."""

    CONTRACT = "contract"
    CONFLICT = "conflict"
    UNROUTABLE = "unroutable"


class Mistake(BaseModel):
    """One problem, as `notify lint` reports it, without any value."""

    model_config = ConfigDict(frozen=True)

    where: str = Field(
        description="The JSON path, with `*` for names that are not the contract's; empty for the"
        " whole message."
    )
    why: str = Field(description="The reason.")
    hint: str = Field(description="What to do about it.")
    line: int | None = Field(description="Counted from 1; null except for broken JSON.")
    column: int | None = Field(description="Counted from 1; null except for broken JSON.")

    def __str__(self) -> str:
        return str(Problem(self.where, self.why, self.hint, self.line, self.column))


class RefusedEvent(BaseModel):
    """
    A message was refused and is in the dead letters; version 1 of its JSON form.

    It does not end a notification: there is none, or another one has its id or key. An operator may
    still correct the message and send it.
    """

    model_config = ConfigDict(frozen=True)

    v: Literal[1] = Field(1, description="The version of this form; new fields may join it.")
    event_id: UUID = Field(
        description="The same whenever this event is published again, and the AMQP message_id."
    )
    sequence: Literal[0] = Field(
        0, description="Older than any event of the notification that has the same id."
    )
    at: datetime = Field(description="When the message was archived, in UTC.")
    status: Literal["refused"] = Field("refused", description="Distinguishes it from other events.")
    id: UUID | None = Field(description="The request's id, if it has one that can be read.")
    message_id: str | None = Field(description="The AMQP message_id, if it can be read.")
    source: str = Field(description="The service that published the message.")
    channel: Channel | None = Field(description="Null where the routing key names none.")
    lane: str | None = Field(description="Null where the routing key names none.")
    cause: RefusalCause = Field(
        description="Why: it breaks the contract, its key or id belongs to another request, or no"
        " queue takes its routing key."
    )
    reason: str | None = Field(description="The problems in one line.")
    problems: list[Mistake] = Field(description="The problems, at most 20.")

    @property
    def routing_key(self) -> str:
        """The key it is published with; an unknown channel is `none`."""
        return f"{self.channel or 'none'}.{REFUSED}.{self.source}"


def refused_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a refused event."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:notify:refused:v1",
        **RefusedEvent.model_json_schema(mode="serialization"),
        "title": "notify refused event",
    }
