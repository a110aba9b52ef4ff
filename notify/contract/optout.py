"""Opt-outs: the message in which a producer reports that a recipient wants no more messages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, model_validator

from notify.channels import CHANNELS, Identity, Strict, Version
from notify.contract.envelope import Incoming
from notify.contract.limits import Limits
from notify.contract.recipient import normal_form
from notify.contract.reports import read_report
from notify.message import Channel

OPTOUT_KEY = "optout"
"""The first word of the routing key `optout.<source>`."""

_HINTS = {
    "v": "write 1",
    "channel": f"write one of {', '.join(Channel)}",
    "to": "write the address as in a request, with its `channel`",
    "id": "write the id of a notification to the recipient, a UUID",
    "category": "write the name of a category: a-z, 0-9, - and _",
    "note": "write a code such as `account_page`: a-z, 0-9, _ . -, at most 64, no personal data",
    "": "write `channel` and `to`, or `id`",
}


class OptOutMessage(Strict):
    """A recipient's opt-out, version 1: `channel` and `to`, or `id`. Null means absent."""

    v: Version | None = Field(default=1, description="Version of this contract.")
    channel: Annotated[Channel, Field(strict=False)] | None = Field(
        default=None, description="The channel of `to`; of `id`, it is the notification's."
    )
    to: Annotated[str, Field(min_length=1, max_length=4096)] | None = Field(
        default=None,
        description="The recipient: an email address, a phone number or a device token.",
        examples=["ann@example.com"],
    )
    id: Identity | None = Field(
        default=None, description="A notification of this source to the recipient, instead of `to`."
    )
    category: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,30}$")] | None = Field(
        default=None,
        description="Only this category; if absent, all messages of the source.",
        examples=["newsletter"],
    )
    note: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.-]{0,63}$")] | None = Field(
        default=None,
        description="A code of your own that the list shows, without personal data.",
        examples=["account_page"],
    )

    @model_validator(mode="after")
    def _names_one_recipient(self) -> Self:
        by_address = self.channel is not None and self.to is not None
        if by_address == (self.id is not None) or (self.id is not None and self.to is not None):
            raise ValueError("names no recipient, or two")
        if self.to is not None and self.channel is not None:
            channel = CHANNELS[self.channel]
            if not channel.is_address(normal_form(self.to)):
                raise ValueError("is not an address of the channel")
        return self


@dataclass(frozen=True, slots=True)
class ProducerOptOut:
    """
    An opt-out that a source reports.

    Attributes:
        id: A notification to the recipient, if `to` is empty.
        category: The category it is limited to; None for all messages of the source.
    """

    source: str
    channel: Channel | None
    to: str = field(repr=False)
    id: UUID | None
    category: str | None
    note: str | None


def read_opt_out(incoming: Incoming, limits: Limits) -> ProducerOptOut:
    """
    Return the opt-out in a message.

    Raises:
        RequestInvalid: It breaks the contract; the text names the field, never a value.
    """
    source, read = read_report(incoming, limits, kind=OPTOUT_KEY, model=OptOutMessage, hints=_HINTS)
    return ProducerOptOut(source, read.channel, read.to or "", read.id, read.category, read.note)


def opt_out_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of opt-outs, for producers in any language."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:notify:optout:v1",
        **OptOutMessage.model_json_schema(),
        "title": "notify optout",
        "oneOf": [{"required": ["channel", "to"]}, {"required": ["id"]}],
    }
