"""The fields of a request that all channels share, version 1."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from notify.channels.words import (
    CategoryName,
    Digest,
    Identity,
    Instant,
    Key,
    Locale,
    MetadataName,
    MetadataValue,
    TemplateName,
    Version,
)

A = TypeVar("A")
R = TypeVar("R")

# Labels of the shapes of `to`; they occur only in pydantic's error paths.
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
TO = "One recipient, or a list of them, each with its own `data` if needed."


class Strict(BaseModel):
    """A model that converts no types and refuses unknown fields."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Part(Strict):
    """The batch that a recipient's own copy belongs to; only the service writes it."""

    id: Identity = Field(description="The batch's id.")
    position: Annotated[int, Field(ge=0, lt=1_000_000)] = Field(
        description="Which recipient of the batch this is, from 0."
    )
    digest: Digest = Field(description="SHA-256 of the meaning of the whole batch.")


class Request(Strict):
    """
    The fields that all channels share. Null means absent.

    `contract.check` checks that `template` and inline content exclude each other, since it reports
    all problems at once.
    """

    v: Version | None = Field(default=1, description="Version of this contract.")
    id: Identity | None = Field(
        default=None,
        description="The request's id; if absent, the AMQP message_id is used.",
        examples=["0d9c2f0e-6f3b-4c59-9a55-0f4b7f2f6f10"],
    )
    to: Any = Field(description=TO)
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
        description="The template's variables; a recipient's own data override them.",
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
        description="Your own labels, recorded with the notification and repeated in its events.",
        examples=[{"order": "1017"}],
    )
    category: CategoryName | None = Field(
        default=None,
        description=(
            "The kind of mail, by a name that your operators define: it decides the sender and"
            " whether recipients can unsubscribe. Default: that of your source, if it has one."
        ),
        examples=["newsletter"],
    )
    batch: Part | None = Field(
        default=None,
        description="Written by the service into each recipient's copy of a batch: do not set it.",
    )
