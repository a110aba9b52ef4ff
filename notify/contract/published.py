"""When a message was published, as far as it tells."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

IN_MS = "timestamp_in_ms"
"""The header with the milliseconds, named as RabbitMQ names it where it stamps messages itself."""
OLDEST = 30 * 86_400.0
"""Seconds: who says that a message is older tells nothing of it."""


def published(properties: Mapping[str, Any], headers: Mapping[str, Any], *, now: float) -> datetime:
    """
    Tell when a message was published: by its header in ms, else by its AMQP timestamp in seconds.

    Args:
        now: Seconds since 1970 when it was taken from the broker: what tells nothing, tells of a
            time to come or of one too long ago counts from then.
    """
    at = _number(headers.get(IN_MS), 0.001) or _number(properties.get("timestamp"), 1.0) or now
    return datetime.fromtimestamp(at if now - OLDEST <= at <= now else now, UTC)


def _number(value: object, unit: float) -> float | None:
    # A foreign client may put any AMQP type there.
    return value * unit if isinstance(value, int) and not isinstance(value, bool) else None
