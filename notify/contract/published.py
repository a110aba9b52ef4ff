"""The time at which a message was published, by its own properties."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

IN_MS = "timestamp_in_ms"
"""The header with milliseconds; RabbitMQ uses this name when it stamps messages itself."""
OLDEST = 30 * 86_400.0
"""Seconds; an older time in a message is not believed."""


def publication_time(
    properties: Mapping[str, Any], headers: Mapping[str, Any], *, now: float
) -> datetime:
    """
    Return when a message was published: by its header in ms, else by its AMQP timestamp in seconds.

    Args:
        now: Seconds since 1970 when it came from the broker. Returned if the message has no time,
            one in the future, or one too long ago.
    """
    at = _number(headers.get(IN_MS), 0.001) or _number(properties.get("timestamp"), 1.0) or now
    return datetime.fromtimestamp(at if now - OLDEST <= at <= now else now, UTC)


def _number(value: object, unit: float) -> float | None:
    # A foreign client may put any AMQP type there.
    return value * unit if isinstance(value, int) and not isinstance(value, bool) else None
