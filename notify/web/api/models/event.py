"""A source's events."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from notify.contract import Event
from notify.web.api.models.document import Document, Instant, Limit


class EventsQuery(Document):
    """Which events to return."""

    since: Annotated[str, Field(pattern=r"^\d{1,18}$")] | Instant = Field(
        default="0", description="The `next` of the page before, or a time with its zone."
    )
    limit: Limit = 100


class EventsView(Document):
    """Events of the source in their order; the same JSON as on AMQP."""

    events: list[Event]
    next: str = Field(description="The `since` of the next page.")
    complete: bool = Field(description="Whether there are no more events now.")
