"""The JSON body a producer writes, version 1: one model a channel, all fields described."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag

from notify.contract.address import device_token, email_address, phone_number
from notify.contract.words import (
    Digest,
    Identity,
    Instant,
    Key,
    Line,
    Locale,
    MetadataName,
    MetadataValue,
    TemplateName,
    Text,
    Version,
)
from notify.message import Channel

A = TypeVar("A")
R = TypeVar("R")

# Labels of the shapes `to` may have; they stand in pydantic's error paths and nowhere else.
SHAPES = frozenset({"<address>", "<list>", "<recipient>"})


def _shape(value: Any) -> str:
    return "<list>" if isinstance(value, list) else "<address>"


def _item_shape(value: Any) -> str:
    return "<address>" if isinstance(value, str) else "<recipient>"


_Item = Annotated[
    Annotated[A, Tag("<address>")] | Annotated[R, Tag("<recipient>")], Discriminator(_item_shape)
]
To = Annotated[
    Annotated[A, Tag("<address>")]
    | Annotated[list[_Item[A, R]], Field(min_length=1), Tag("<list>")],
    Discriminator(_shape),
]
_TO = "One recipient, or a list of them, each with its own `data` if need be."

EmailAddress = Annotated[
    str,
    Field(max_length=254, json_schema_extra={"format": "email"}, examples=["ann@example.com"]),
    AfterValidator(email_address),
]
PhoneNumber = Annotated[
    str,
    Field(
        max_length=16,
        json_schema_extra={"pattern": r"^\+[1-9][0-9]{6,14}$"},
        examples=["+4915112345678"],
    ),
    AfterValidator(phone_number),
]
DeviceToken = Annotated[
    str,
    Field(max_length=4096, json_schema_extra={"pattern": "^[!-~]+$"}, examples=["dGhpcyBpcyBh"]),
    AfterValidator(device_token),
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Part(_Strict):
    """Where a recipient's own copy of a batch comes from; written by the service alone."""

    id: Identity = Field(description="The batch's id.")
    position: Annotated[int, Field(ge=0, lt=1_000_000)] = Field(
        description="Which recipient of the batch this is, from 0."
    )
    digest: Digest = Field(description="SHA-256 of the whole batch's meaning.")


class Request(_Strict):
    """
    The fields every channel shares. Null means absent.

    That `template` and inline content exclude each other is checked by `check`, which knows the
    channel and reports it beside everything else that is wrong.
    """

    v: Version | None = Field(default=1, description="Version of this contract.")
    id: Identity | None = Field(
        default=None,
        description="The request's identity; absent, the AMQP message_id stands for it.",
        examples=["0d9c2f0e-6f3b-4c59-9a55-0f4b7f2f6f10"],
    )
    to: Any = Field(description=_TO)
    idempotency_key: Key | None = Field(
        default=None,
        description="Same key and same request: sent once. Default: the id.",
        examples=["order-1017-confirmation"],
    )
    template: TemplateName | None = Field(
        default=None, description="The template to render, instead of inline content."
    )
    data: dict[str, Any] | None = Field(
        default=None,
        description="What the template needs; a recipient's own data go over it.",
        examples=[{"name": "Ann"}],
    )
    locale: Locale | None = Field(
        default=None, description="The language to write in (BCP 47).", examples=["de", "pt-BR"]
    )
    send_at: Instant | None = Field(
        default=None,
        description=(
            "Do not send before this time (RFC 3339, with zone), at most 366 days ahead and"
            " before expires_at; if absent or past, it is sent at once."
        ),
        examples=["2026-12-24T08:00:00+01:00"],
    )
    expires_at: Instant | None = Field(
        default=None,
        description="Do not send after this time (RFC 3339, with zone).",
        examples=["2026-11-25T10:00:00Z"],
    )
    metadata: Annotated[dict[MetadataName, MetadataValue], Field(max_length=20)] | None = Field(
        default=None,
        description="Your own labels, kept with the notification and told in its events.",
        examples=[{"order": "1017"}],
    )
    batch: Part | None = Field(
        default=None,
        description="Written by the service into each recipient's copy of a batch: leave it out.",
    )


class EmailRecipient(_Strict):
    """One recipient of a batch of emails."""

    to: EmailAddress = Field(description="The bare address.")
    data: dict[str, Any] | None = Field(default=None, description="Data for this recipient.")


class EmailRequest(Request):
    """An email: `template`, or `subject` with `text`, `html` or both."""

    to: To[EmailAddress, EmailRecipient] = Field(description=_TO)
    subject: Line | None = Field(default=None, description="The subject, on one line.")
    text: Text | None = Field(default=None, description="The plain text.")
    html: Text | None = Field(default=None, description="The HTML.")


class SmsRecipient(_Strict):
    """One recipient of a batch of SMS."""

    to: PhoneNumber = Field(description="The number in E.164 form.")
    data: dict[str, Any] | None = Field(default=None, description="Data for this recipient.")


class SmsRequest(Request):
    """An SMS: `template` or `text`."""

    to: To[PhoneNumber, SmsRecipient] = Field(description=_TO)
    # 1,600 is the most Twilio takes (its error 21617), and no gateway we know takes more.
    text: Annotated[str, Field(min_length=1, max_length=1600)] | None = Field(
        default=None, description="The text."
    )


class PushRecipient(_Strict):
    """One recipient of a batch of push messages."""

    to: DeviceToken = Field(description="The device's registration token.")
    data: dict[str, Any] | None = Field(default=None, description="Data for this recipient.")


class PushRequest(Request):
    """A push message: `template`, or `title` and `body`."""

    to: To[DeviceToken, PushRecipient] = Field(description=_TO)
    title: Line | None = Field(default=None, description="The title, on one line.")
    # Characters here, for the schema; `payload_problems` counts bytes.
    body: Annotated[str, Field(min_length=1, max_length=4096)] | None = Field(
        default=None,
        description=(
            "The text below the title. Title, body and metadata have 4,096 bytes together, 129"
            " of which the service's own ids take."
        ),
    )


AnyRequest = EmailRequest | SmsRequest | PushRequest
MODELS: dict[Channel, type[AnyRequest]] = {
    Channel.EMAIL: EmailRequest,
    Channel.SMS: SmsRequest,
    Channel.PUSH: PushRequest,
}
INLINE: dict[Channel, tuple[str, ...]] = {
    Channel.EMAIL: ("subject", "text", "html"),
    Channel.SMS: ("text",),
    Channel.PUSH: ("title", "body"),
}
