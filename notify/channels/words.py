"""The types of a request's fields; each refuses with a reason and a hint, never with the value."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

# C0 and C1 controls and the Unicode line ends, any of which could start a new header at a provider.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# Explicit changes of direction (UAX 9, 2.1 to 2.3) can make a line read as a different one. The
# marks U+200E, U+200F and U+061C are allowed: they affect only the direction of their neighbours.
_DIRECTION = re.compile("[\u202a-\u202e\u2066-\u2069]")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})?"
)
_LOCALE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,4}")
_TEMPLATE = re.compile(r"[a-z0-9][a-z0-9_]{0,99}")
_CATEGORY = re.compile(r"[a-z][a-z0-9_-]{0,30}")
_SENDER = re.compile(r"[a-z][a-z0-9_-]{0,30}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_NIL = UUID(int=0)


def refuse(why: str, hint: str) -> PydanticCustomError:
    """Return the error for a field's check to raise; neither text may contain part of the value."""
    return PydanticCustomError("refused", "{why}", {"why": why, "hint": hint})


def _one_line(text: str) -> str:
    if _CONTROL.search(text):
        raise refuse("contains a line break or control character", "keep it to one plain line")
    return text


def turns_direction(text: str) -> bool:
    """Whether a text overrides, embeds or isolates a direction, so that it can read differently."""
    return _DIRECTION.search(text) is not None


def _headline(text: str) -> str:
    if turns_direction(text):
        raise refuse("contains a bidirectional override", "remove U+202A-E and U+2066-9")
    return _one_line(text)


def _printable(text: str) -> str:
    if not text.isprintable():
        raise refuse("contains characters that do not print", "use letters, digits and signs")
    return text


def _version(number: int) -> int:
    if number != 1:
        raise refuse("no such version of the contract", "write 1 or remove it")
    return number


def is_uuid(text: str) -> bool:
    """Whether a text is a UUID in its usual form, and not the nil UUID."""
    return _UUID.fullmatch(text) is not None and UUID(text) != _NIL


def _uuid(value: Any) -> UUID:
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        raise refuse("not a UUID", "write it as 8-4-4-4-12 hexadecimal digits in a string")
    identity = UUID(value)
    if identity == _NIL:
        raise refuse("the nil UUID is not an id", "make a new UUID for each request")
    return identity


def _instant(value: Any) -> datetime:
    hint = "write it as 2026-11-25T10:00:00Z or with an offset such as +01:00"
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise refuse("not a time in RFC 3339 form", hint)
    if match[1] is None:
        raise refuse("a time without a zone", hint)
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise refuse("no such time in the calendar", hint) from None


def _locale(text: str) -> str:
    if not _LOCALE.fullmatch(text):
        raise refuse("not a language tag", "write it as de or pt-BR, with a hyphen")
    return text


def _template(text: str) -> str:
    if not _TEMPLATE.fullmatch(text):
        hint = "lower-case letters, digits and _; `notify template ls` lists them"
        raise refuse("not a template's name", hint)
    return text


def _category(text: str) -> str:
    if not _CATEGORY.fullmatch(text):
        hint = "lower-case letters, digits, - and _, at most 31; your operators define them"
        raise refuse("not a category's name", hint)
    return text


def _sender(text: str) -> str:
    if not _SENDER.fullmatch(text):
        hint = "lower-case letters, digits, - and _, at most 31; your operators define them"
        raise refuse("not a sender's name", hint)
    return text


def _digest(text: str) -> str:
    if not _DIGEST.fullmatch(text):
        raise refuse("not a SHA-256 in hexadecimal", "remove `batch`: the service writes it")
    return text


def _matching(pattern: re.Pattern[str]) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern.pattern}$"})


Version = Annotated[int, AfterValidator(_version), WithJsonSchema({"const": 1})]
Identity = Annotated[
    UUID, BeforeValidator(_uuid), WithJsonSchema({"type": "string", "format": "uuid"})
]
Instant = Annotated[
    datetime, BeforeValidator(_instant), WithJsonSchema({"type": "string", "format": "date-time"})
]
Locale = Annotated[str, AfterValidator(_locale), _matching(_LOCALE)]
TemplateName = Annotated[str, AfterValidator(_template), _matching(_TEMPLATE)]
CategoryName = Annotated[str, AfterValidator(_category), _matching(_CATEGORY)]
SenderName = Annotated[str, AfterValidator(_sender), _matching(_SENDER)]
Digest = Annotated[str, AfterValidator(_digest), _matching(_DIGEST)]
Text = Annotated[str, Field(min_length=1)]
# For values in or next to a header. 998: the longest line RFC 5322 (2.1.1) allows.
Line = Annotated[str, Field(min_length=1, max_length=998), AfterValidator(_headline)]
Key = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]
MetadataName = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_one_line)]
MetadataValue = Annotated[str, Field(max_length=256), AfterValidator(_one_line)]
