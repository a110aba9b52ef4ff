"""A template's preview: each part as it would be sent, or why it cannot be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from notify.errors import TemplateError
from notify.message import Channel, Content
from notify.templating import UNSUBSCRIBE_URL, TemplateInfo, Templates

EXAMPLE_LINK = "https://notify.example.com/u/EXAMPLE"
"""In place of an unsubscribe link, which only messages of a subscription have."""


@dataclass(frozen=True, slots=True)
class TemplatePreview:
    """One version of a template, rendered."""

    data: Mapping[str, Any]
    content: Content | None
    """None if it cannot be rendered."""
    problem: str = ""
    """Why it cannot be rendered; without a value of the data."""


def find_template(listed: Iterable[TemplateInfo], name: str) -> TemplateInfo | None:
    """Return a template of a list by its exact name; no file is read for any other name."""
    return next((each for each in listed if each.name == name), None)


def preview_template(
    templates: Templates,
    name: str,
    *,
    channel: Channel,
    locale: str | None = None,
    data: Mapping[str, Any] | None = None,
) -> TemplatePreview:
    """
    Render a template as a worker would; nothing is sent.

    Args:
        data: The values of its variables; None for the template's own sample.json.
    """
    values: Mapping[str, Any] = data or {}
    try:
        values = templates.sample(name) if data is None else data
        link = None if UNSUBSCRIBE_URL in values else EXAMPLE_LINK
        content = templates.render(
            name, channel=channel, locale=locale, data=values, unsubscribe_url=link
        )
    except TemplateError as error:
        return TemplatePreview(values, None, str(error))
    return TemplatePreview(values, content)
