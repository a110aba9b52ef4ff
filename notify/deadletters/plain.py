"""AMQP values of any type, as JSON and as text that any database takes."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

DEEPEST = 12
LARGEST = 65_536
"""Characters of JSON that one message's properties may take."""


def plain(value: Any, *, deep: int = 0) -> Any:
    """Make JSON of an AMQP value; what JSON has no form for is told in words."""
    if isinstance(value, Mapping | list | tuple) and deep == DEEPEST:
        return "(nested too deep)"
    if isinstance(value, Mapping):
        return {clean(str(key)): plain(each, deep=deep + 1) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each, deep=deep + 1) for each in value]
    return _scalar(value)


def bounded(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Make JSON of a message's properties; where it is too much, large headers are left out."""
    whole: dict[str, Any] = plain(properties)
    headers = whole.get("application_headers")
    if not isinstance(headers, dict) or _size(whole) <= LARGEST:
        return whole
    room = LARGEST
    kept = {}
    for name, value in sorted(headers.items(), key=lambda header: _size(header)):
        room -= _size([name, value])
        if room > 0:
            kept[name] = value
    left_out = f"{len(headers) - len(kept)} headers, too large to keep"
    return {**whole, "application_headers": kept, "left_out": left_out}


def clean(text: str, *, longest: int | None = None) -> str:
    """Spell out what no database takes as text: NUL, and half characters."""
    safe = text.encode(errors="backslashreplace").decode().replace("\x00", "\\x00")
    return safe[:longest]


def instant(value: Any) -> datetime | None:
    """Read a time as AMQP brings it: in UTC, without saying so."""
    return _utc(value) if isinstance(value, datetime) else None


def _scalar(value: Any) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, datetime):
        return _utc(value).isoformat()
    if isinstance(value, bytes | bytearray | memoryview):
        return {"base64": base64.b64encode(value).decode()}
    return clean(str(value))


def _utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _size(value: Any) -> int:
    return len(json.dumps(value))
