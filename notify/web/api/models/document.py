"""The base of every document of the API, and its types of parameters."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Limit = Annotated[int, Field(ge=1, le=500)]
Number = Annotated[int, Field(ge=0, le=2**63 - 1)]


def _zoned(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("the time lacks its zone; write it as 2026-11-25T10:00:00Z")
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("the time is outside the years 1 to 9999 in UTC") from None


Instant = Annotated[datetime, AfterValidator(_zoned)]


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("the text contains NUL, which PostgreSQL does not store")
    return text


Text = Annotated[str, AfterValidator(_storable)]
Short = Annotated[Text, Field(min_length=1, max_length=64)]


class Document(BaseModel):
    """A document of the API."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NoQuery(Document):
    """No query parameters."""
