"""Why and where a message died, as the broker's headers report it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from notify.deadletters.plain import clean, instant
from notify.topology import DEAD


@dataclass(frozen=True, slots=True)
class Death:
    """How a message came into the dead queue. An unroutable message has no death."""

    reason: str
    """The broker's word: rejected, delivery_limit, expired or maxlen."""
    queue: str | None
    exchange: str
    """The exchange that it was published to before it died."""
    at: datetime | None


def death(exchange: str, properties: Mapping[str, Any]) -> Death | None:
    """
    Return a message's first death; None if it matched no queue.

    Any producer may write these headers, with values of any type. Those that the broker would not
    write are ignored.
    """
    headers = properties.get("application_headers")
    table: Mapping[str, Any] = headers if isinstance(headers, Mapping) else {}
    deaths = table.get("x-death")
    if exchange != DEAD and not deaths:
        return None
    # Newest first. Our messages have one: the headers are stripped on each publish.
    entries = deaths if isinstance(deaths, list) else []
    first = next((each for each in reversed(entries) if isinstance(each, Mapping)), {})
    return Death(
        reason=_word(table.get("x-first-death-reason")) or _word(first.get("reason")) or "rejected",
        queue=_word(table.get("x-first-death-queue")) or _word(first.get("queue")),
        exchange=_word(first.get("exchange")) or exchange,
        at=instant(first.get("time")),
    )


def _word(value: Any) -> str | None:
    return clean(value, longest=255) if isinstance(value, str) else None
