"""Check a parsed document against the contract of its channel; report all problems at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from notify.channels import CHANNELS, SHAPES, ChannelDefinition, Request
from notify.contract.problem import Problem, RequestInvalid, is_name
from notify.message import Channel

# Enough to correct a request by; a hostile body must not cost a hundred thousand texts.
_MOST_PROBLEMS = 100

# Scheduled notifications wait in the record; a later time is more likely a mistake than a plan.
_FURTHEST = timedelta(days=366)

# Why and hint by pydantic's error type. The braces are filled from the error's context.
_WORDS = {
    "missing": ("required", "add it"),
    "string_type": ("must be a string", "write it in double quotes"),
    "string_too_short": ("must not be empty", "fill it in or remove it"),
    "string_too_long": ("longer than {max_length} characters", "shorten it"),
    "int_type": ("must be an integer", "write it without quotes"),
    "dict_type": ("must be an object", "write it in {{ }}"),
    "model_type": ("must be a string or an object", 'write "address" or {{"to": "address"}}'),
    "too_long": ("more than {max_length} entries", "remove some"),
    "too_short": ("has no recipient", "name at least one"),
    "greater_than_equal": ("must be {ge} or more", "correct it"),
    "less_than": ("must be less than {lt}", "correct it"),
    "refused": ("{why}", "{hint}"),
}


_PARTS = {
    "to": "a recipient has `to` and `data`",
    "attachments": "a file has `name`, `type`, `content` and `content_id`",
}


def check(
    document: Mapping[str, Any],
    *,
    channel: Channel,
    max_recipients: int,
    now: datetime | None = None,
) -> Request:
    """
    Return a document as a request for `channel`; *now* is the present if None.

    Raises:
        RequestInvalid: With every problem found.
    """
    definition = CHANNELS[channel]
    problems = list(_content(document, definition))
    recipients = document.get("to")
    if isinstance(recipients, list) and len(recipients) > max_recipients:
        why = f"more than {max_recipients} recipients"
        problems.append(Problem("to", why, "send the rest as a second request"))
        document = {**document, "to": recipients[:max_recipients]}
    try:
        request = definition.request.model_validate(document)
    except ValidationError as error:
        problems += _field_problems(error, definition)
        raise RequestInvalid(
            problems, count=len(problems) + max(0, error.error_count() - _MOST_PROBLEMS)
        ) from None
    problems += [*_recipients(request), *_times(request, now)]
    problems += [
        Problem.at(each.where, each.why, each.hint) for each in definition.problems(request)
    ]
    if problems:
        raise RequestInvalid(problems)
    return request


def _content(document: Mapping[str, Any], channel: ChannelDefinition) -> Iterator[Problem]:
    """Yield what is wrong unless there is a template or the whole of the channel's own content."""
    inline = [part.name for part in channel.parts if document.get(part.name) is not None]
    if document.get("template") is not None:
        if inline:
            hint = "send either the template's name or the content"
            yield Problem("template", f"set together with {', '.join(inline)}", hint)
        return
    if not inline:
        hint = f"name a template, or write {_whole(channel)}"
        yield Problem("template", "neither a template nor content", hint)
        return
    for names in channel.complete:
        if not set(names) & set(inline):
            hint = f"content without a template needs {_whole(channel)}"
            yield Problem(names[0], "required with the other content", hint)


def _whole(channel: ChannelDefinition) -> str:
    """Return the parts of complete content in words, such as "`subject`, and `text` or `html`"."""
    joined = " and " if all(len(names) == 1 for names in channel.complete) else ", and "
    return joined.join(" or ".join(f"`{name}`" for name in names) for names in channel.complete)


def _recipients(request: Request) -> Iterator[Problem]:
    if not isinstance(request.to, list):
        return
    if request.batch is not None:
        yield Problem("batch", "must not be set with a list of recipients", "remove `batch`")
    first: dict[str, int] = {}
    for position, item in enumerate(request.to):
        address = item if isinstance(item, str) else item.to
        if (earlier := first.setdefault(address, position)) != position:
            why = f"the same recipient as to[{earlier}]"
            yield Problem(f"to[{position}]", why, "name each recipient once")


def _times(request: Request, now: datetime | None) -> Iterator[Problem]:
    if request.send_at is None:
        return
    if request.expires_at is not None and request.send_at >= request.expires_at:
        yield Problem(
            "send_at", "not before expires_at", "it would expire unsent: correct one of them"
        )
    if request.send_at > (now or datetime.now(UTC)) + _FURTHEST:
        why = f"more than {_FURTHEST.days} days ahead"
        yield Problem("send_at", why, "correct the year, or send the request later")


def _field_problems(error: ValidationError, channel: ChannelDefinition) -> Iterator[Problem]:
    details = error.errors(include_url=False, include_input=False)
    for detail in details[:_MOST_PROBLEMS]:
        where = [part for part in detail["loc"] if part not in SHAPES and part != "[key]"]
        yield _problem(detail, where, channel)


def _problem(detail: ErrorDetails, where: list[str | int], channel: ChannelDefinition) -> Problem:
    if detail["type"] == "extra_forbidden":
        return _unknown(where, channel)
    why, hint = _WORDS.get(detail["type"], ("not allowed here", "see `notify schema`"))
    context = detail.get("ctx", {})
    return Problem.at(where, why.format_map(context), hint.format_map(context))


def _unknown(where: list[str | int], channel: ChannelDefinition) -> Problem:
    """Return the problem of an unknown field, with the field that was probably meant."""
    name = str(where[-1])
    if len(where) > 1:
        part = _PARTS.get(str(where[0]), "the service writes this object")
        return Problem.at(where, "unknown field", f"remove it; {part}")
    if name in channel.refused:
        return Problem.at(where, "is not a field here", channel.refused[name])
    known = channel.request.model_fields
    if is_name(name) and (close := difflib.get_close_matches(name, known, n=1)):
        return Problem.at(where, f"unknown field, did you mean `{close[0]}`?", "correct its name")
    for other in CHANNELS.values():
        if any(part.name == name for part in other.parts):
            why = f"unknown field: it belongs to {other.channel}, not {channel.channel}"
            return Problem.at(where, why, f"write {_whole(channel)}")
    hint = "remove it; your own labels go into `metadata`, template values into `data`"
    return Problem.at(where, "unknown field", hint)
