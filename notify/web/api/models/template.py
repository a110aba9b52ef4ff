"""Templates, and their previews."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from notify.message import Channel
from notify.web.api.models.document import Document


class TemplateView(Document):
    """One template."""

    name: str
    channels: list[Channel]
    locales: list[str]
    variables: list[str]


class TemplatesView(Document):
    """All templates."""

    templates: list[TemplateView]


class PreviewBody(Document):
    """The version to render, and its data."""

    channel: Channel
    locale: Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8})*$")] | None = None
    data: dict[str, Any] | None = Field(
        default=None, description="The values of its variables; by default its own sample."
    )


class PreviewView(Document):
    """A template as a worker would render it; nothing is sent."""

    subject: str = Field(description="The email's subject; the push message's title.")
    text: str = Field(description="The plain text; the SMS; the push message's body.")
    html: str
