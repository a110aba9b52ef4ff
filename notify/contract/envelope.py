"""Everything around the body: routing key, content type, sender, trace."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from notify.contract.limits import Limits
from notify.contract.problem import Problem, RequestInvalid
from notify.contract.size import too_large
from notify.message import Channel

_LANE = re.compile(r"[a-z][a-z0-9-]{0,30}")
_SOURCE = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_JSON = re.compile(r'application/json(?:\s*;\s*charset="?utf-?8"?)?\s*', re.IGNORECASE)
# https://www.w3.org/TR/trace-context/#traceparent-header: version ff and zero ids are invalid.
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)


@dataclass(frozen=True, slots=True)
class Incoming:
    """One message as the broker delivers it: the body, unchanged, and the properties used here."""

    body: bytes
    routing_key: str
    content_type: str | None = None
    content_encoding: str | None = None
    message_id: str | None = None
    user_id: str | None = None
    """The AMQP user, which the broker has verified if it is set."""
    traceparent: str | None = None
    published_at: datetime | None = None
    """When it was published, by its own properties; else when it came from the broker."""


@dataclass(frozen=True, slots=True)
class Route:
    """The parts of a routing key `<channel>.<lane>.<source>`."""

    channel: Channel
    lane: str
    source: str


def route(routing_key: str) -> Route:
    """
    Return the parts of a routing key.

    Raises:
        RequestInvalid: It names the part that is wrong.
    """
    parts = routing_key.split(".")
    if len(parts) != 3:
        raise _refused("is not <channel>.<lane>.<source>", "such as email.normal.shop")
    name, lane, source = parts
    channel = next((each for each in Channel if each == name), None)
    if channel is None:
        hint = f"begin it with {', '.join(Channel)}"
        raise _bad_part("channel", name, fits=name.lower() in set(Channel), hint=hint)
    if not _LANE.fullmatch(lane):
        hint = "lower-case letters, digits and -, at most 31"
        raise _bad_part("lane", lane, fits=bool(_LANE.fullmatch(lane.lower())), hint=hint)
    if not _SOURCE.fullmatch(source):
        hint = "lower-case letters, digits, - and _, at most 63"
        raise _bad_part("source", source, fits=bool(_SOURCE.fullmatch(source.lower())), hint=hint)
    return Route(channel, lane, source)


def likely_source(routing_key: str) -> str | None:
    """Return the source that a broken routing key probably ends with; None if it cannot be one."""
    source = routing_key.rpartition(".")[2].lower()
    return source if is_source(source) else None


def is_source(text: str) -> bool:
    """Whether a text is a valid name of a source."""
    return _SOURCE.fullmatch(text) is not None


def check_envelope(
    incoming: Incoming, *, source: str, limits: Limits, largest: int | None = None
) -> None:
    """
    Check everything except the body's content.

    The broker verifies `user_id`: `limits.trusted_users` are the service itself, which publishes
    for every source.

    Args:
        largest: The most bytes of the body; `limits.max_body_bytes` if None.

    Raises:
        RequestInvalid: With every problem found.
    """
    problems = []
    user = incoming.user_id
    verified = user is not None and (user == source or user in limits.trusted_users)
    if limits.require_user_id and not verified:
        why = "the routing key's source is not the AMQP user_id"
        problems.append(Problem("", why, "publish as the user that the source is named after"))
    if not incoming.content_type:
        problems.append(Problem("", "no content type", "set it to application/json"))
    elif not _JSON.fullmatch(incoming.content_type):
        why = "the content type is not application/json"
        problems.append(Problem("", why, "send JSON and set it to application/json"))
    if (incoming.content_encoding or "utf-8").lower() not in ("utf-8", "utf8"):
        why = "the content encoding is not utf-8"
        problems.append(Problem("", why, "send plain UTF-8, not compressed"))
    if large := too_large(len(incoming.body), largest or limits.max_body_bytes):
        problems.append(large)
    if problems:
        raise RequestInvalid(problems)


def trace(traceparent: str | None) -> str | None:
    """Return a W3C traceparent; None if it is missing or malformed."""
    # A foreign client may put any AMQP type into a header.
    if isinstance(traceparent, str) and _TRACEPARENT.fullmatch(traceparent):
        return traceparent
    return None


def _bad_part(part: str, text: str, *, fits: bool, hint: str) -> RequestInvalid:
    """Return the error for a part of the key; *fits* if it is valid in lower case."""
    if not text:
        return _refused(f"has no {part}", hint)
    if fits:
        return _refused(f"has a {part} that is not in lower case", "write it in lower case")
    unknown = "does not exist" if part == "channel" else "has other characters or is too long"
    return _refused(f"has a {part} that {unknown}", hint)


def _refused(why: str, hint: str) -> RequestInvalid:
    return RequestInvalid([Problem("", f"the routing key {why}", hint)])
