"""The last step of the log: one line of JSON, or readable lines on a terminal."""

from __future__ import annotations

import json

from structlog.typing import EventDict, WrappedLogger

from notify.telemetry.terminal import values_on_one_line

_ENCODER = json.JSONEncoder(ensure_ascii=False)


def as_json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    """Return a line of JSON."""
    return _ENCODER.encode(event)


def escaped(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Escape values that could control the terminal or look like a second line."""
    safe: EventDict = values_on_one_line(event)
    return safe


def as_text(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Write an exception as several readable lines."""
    lines = []
    error = event.get("exception")
    while isinstance(error, dict):
        lines.append(": ".join(filter(None, (error["type"], error.get("message")))))
        lines += [f"  {frame}" for frame in error["frames"]]
        error = error.get("cause")
    if lines:
        event["exception"] = "\n".join(lines)
    return event
