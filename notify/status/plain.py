"""Values as JSON and as text: times, and what JSON has no type for."""

from __future__ import annotations

import json
from datetime import UTC, datetime


def moment(seconds: float) -> datetime:
    """Return a time by the database's clock, in seconds since 1970, as a datetime in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def iso(seconds: float | None) -> str | None:
    """Return a time in seconds since 1970 as ISO 8601 in UTC; None for None."""
    return None if seconds is None else moment(seconds).isoformat()


def utc(when: datetime | float, *, timespec: str = "seconds") -> str:
    """
    Return a time for people, in UTC: `2025-01-31 09:00:00`.

    Args:
        when: A datetime, or seconds since 1970.
        timespec: The last part to write: minutes, seconds or milliseconds.
    """
    at = when if isinstance(when, datetime) else moment(when)
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec=timespec)


def to_json(value: object, *, indent: int | None = None) -> str:
    """Return JSON, with times as ISO 8601 and ids as text."""
    return json.dumps(value, ensure_ascii=False, indent=indent, default=_plain)


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
