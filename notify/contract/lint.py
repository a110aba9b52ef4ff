"""The check before publishing: every problem of one body, with its place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from notify.channels import CHANNELS, Request
from notify.contract.check import check
from notify.contract.document import parse
from notify.contract.limits import DEFAULT_LIMITS, Limits
from notify.contract.problem import Problem, RequestInvalid
from notify.contract.size import most_bytes, size_problem, too_large
from notify.message import Channel

TemplateCheck = Callable[[str, Channel | None], Problem | None]
"""Returns the problem of a template's name, for one channel or for any; None if it is fine."""


def problems(
    text: bytes,
    *,
    channel: Channel | None,
    limits: Limits = DEFAULT_LIMITS,
    template: TemplateCheck | None = None,
    lane: str | None = None,
    source: str | None = None,
    now: datetime | None = None,
) -> list[Problem]:
    """
    Return every problem of one body; an empty list means that it keeps the contract.

    Args:
        channel: The channel it is meant for; None is the one that `likely_channel` returns.
        limits: With the configured categories and senders, if they are known.
        template: Checks a template's name; names are not looked up if None.
        lane: The lane it is meant for; None if it is not known.
        source: The source that publishes it; None if it is not known.
        now: The time that `send_at` is compared with; None is the present.
    """
    if large := too_large(len(text), most_bytes(text, limits, attaches=True)):
        return [large]
    try:
        document = parse(text)
    except RequestInvalid as error:
        return error.problems
    meant = channel or _likely(document)
    _, found = check_document(
        document,
        meant,
        size=len(text),
        limits=limits,
        # For the channel that was given, not for a likely one.
        template=None if template is None else lambda name, _: template(name, channel),
        lane=lane,
        source=source,
        now=now,
    )
    return found


def check_document(
    document: Mapping[str, Any],
    channel: Channel,
    *,
    size: int,
    limits: Limits,
    template: TemplateCheck | None = None,
    lane: str | None = None,
    source: str | None = None,
    now: datetime | None = None,
) -> tuple[Request | None, list[Problem]]:
    """
    Return a parsed body as a request, and every problem of it, as `problems` does.

    Args:
        size: The bytes of the body.

    Returns:
        The request is None if the body breaks the contract; there may be further problems if not.
    """
    found: list[Problem] = []
    request = None
    try:
        request = check(document, channel=channel, max_recipients=limits.max_recipients, now=now)
    except RequestInvalid as error:
        found = error.problems
    found = [*found, *_listed(size_problem(document, size, limits))]
    if template is not None and (named := _named(document, "template", found)):
        found = [*found, *_listed(template(named, channel))]
    if limits.categories is not None and (named := _named(document, "category", found)):
        found = [*found, *_listed(limits.categories.problem(named, lane))]
    if limits.senders is not None and (named := _named(document, "sender", found)):
        problem = limits.senders.problem(named, source=source, channel=channel)
        found = [*found, *_listed(problem)]
    return request, found


def counted(text: bytes, channel: Channel) -> str | None:
    """
    Return what a provider will count of a request with its own content, in words.

    Returns:
        None if its channel counts messages, or if only a template's rendering will show it.
    """
    try:
        document = parse(text)
    except RequestInvalid:
        return None
    if document.get("template"):
        return None
    definition = CHANNELS[channel]
    # Not checked: an unchecked request may have any values.
    words = {name: value for name, value in document.items() if isinstance(value, str)}
    return definition.counted(definition.content(words))


def _named(document: Mapping[str, Any], field: str, found: Sequence[Problem]) -> str | None:
    """Return the name in a field whose form is right."""
    name = document.get(field)
    return name if isinstance(name, str) and all(p.where != field for p in found) else None


def _listed(problem: Problem | None) -> list[Problem]:
    return [] if problem is None else [problem]


def likely_channel(text: bytes) -> Channel | None:
    """Return the channel that a body was probably written for; None if it is not a JSON object."""
    try:
        return _likely(parse(text))
    except RequestInvalid:
        return None


def _likely(document: Mapping[str, Any]) -> Channel:
    for channel, names in _DISTINCTIVE.items():
        if names & document.keys():
            return channel
    address = _first_address(document.get("to"))
    meant = (each.channel for each in CHANNELS.values() if each.looks_like_address(address))
    return next(meant, next(iter(CHANNELS)))


def _distinctive() -> dict[Channel, set[str]]:
    """Return the parts of content that only one channel has."""
    count = Counter(part.name for each in CHANNELS.values() for part in each.parts)
    return {
        each.channel: {part.name for part in each.parts if count[part.name] == 1}
        for each in CHANNELS.values()
    }


_DISTINCTIVE = _distinctive()


def _first_address(to: Any) -> str:
    first = to[0] if isinstance(to, list) and to else to
    if isinstance(first, dict):
        first = first.get("to")
    return first if isinstance(first, str) else ""
