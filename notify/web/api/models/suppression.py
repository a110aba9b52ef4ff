"""A source's suppressions."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from notify.message import Channel
from notify.suppression import SuppressionReason
from notify.web.api.models.document import Document, Instant, Limit, Number, Text


class SuppressionView(Document):
    """One entry of the suppression list; the recipient is kept as a hash only."""

    id: int
    channel: Channel
    scope: str = Field(description="`source:<source>` or `category:<category>/<source>`.")
    reason: SuppressionReason
    binding: bool = Field(description="Whether it also stops critical categories.")
    since: datetime
    until: datetime | None
    lifted_at: datetime | None


class SuppressionsView(Document):
    """One page of the source's suppressions, the newest first."""

    suppressions: list[SuppressionView]
    next: Number | None = Field(description="The `before` of the next page; null at the end.")


class SuppressionsQuery(Document):
    """Which suppressions to list."""

    channel: Channel | None = None
    reason: SuppressionReason | None = None
    ended: bool = Field(default=False, description="Also those that were lifted or have ended.")
    limit: Limit = 50
    before: Number | None = Field(default=None, description="The `next` of the page before.")


class SuppressionBody(Document):
    """A recipient that must not be written to by this source."""

    channel: Channel
    recipient: Annotated[str, Field(min_length=1, max_length=4096)] = Field(
        description="An address, a phone number or a device token, in any spelling."
    )
    category: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,30}$")] | None = Field(
        default=None, description="Only messages of this category."
    )
    reason: SuppressionReason = SuppressionReason.OPT_OUT
    until: Instant | None = Field(default=None, description="When it ends; never, if absent.")
    note: Annotated[Text, Field(max_length=500)] = Field(
        default="", description="Kept in the audit; write no personal data."
    )


class LookupBody(Document):
    """A recipient to search the source's suppressions for."""

    channel: Channel
    recipient: Annotated[str, Field(min_length=1, max_length=4096)]
