"""AMQP values of any type, as JSON and as text that any database stores."""

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
    """Return an AMQP value as JSON; values without a JSON form become text."""
    if isinstance(value, Mapping | list | tuple) and deep == DEEPEST:
        return "(nested too deep)"
    if isinstance(value, Mapping):
        return {clean(str(key)): plain(each, deep=deep + 1) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each, deep=deep + 1) for each in value]
    return _scalar(value)


def bounded(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message's properties as JSON, without the largest headers if it is too long."""
    whole: dict[str, Any] = plain(properties)
    headers = whole.get("application_headers")
    if not isinstance(headers, dict) or _size(whole) <= LARGEST:
        return whole
    room = LARGEST
    small = {}
    for name, value in sorted(headers.items(), key=lambda header: _size(header)):
        room -= _size([name, value])
        if room > 0:
            small[name] = value
    left_out = f"{len(headers) - len(small)} headers, too large to keep"
    return {**whole, "application_headers": small, "left_out": left_out}


def clean(text: str, *, longest: int | None = None) -> str:
    """Escape what no database stores as text: NUL, and lone surrogates."""
    safe = text.encode(errors="backslashreplace").decode().replace("\x00", "\\x00")
    return safe[:longest]


def instant(value: Any) -> datetime | None:
    """Return an AMQP time, which is UTC without a zone; None if it is of another type."""
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
