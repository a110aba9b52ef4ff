"""Recent calls to providers: how they ended and how long they took."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, select

from notify.message import Outcome, lowest_id
from notify.store.queries import ATTEMPT, RecordedAttempt, attempt_of
from notify.store.tables import attempts

_MOST = 3_000
_THROTTLED = 429


@dataclass(frozen=True, slots=True)
class RecentCalls:
    """The ends of a provider's recent calls."""

    calls: int
    """Calls that were begun."""
    outcomes: Mapping[Outcome | None, int]
    """By outcome; None for calls whose answer is not recorded."""
    throttled: int
    """Answers with the HTTP status 429."""
    p50: float | None
    """Seconds that half of the recorded calls took at most; None without any."""
    p95: float | None
    since: datetime
    """The time of the oldest call that was read."""


def count_calls(
    connection: Connection, *, now: datetime, span: timedelta
) -> dict[str, RecentCalls]:
    """
    Count the calls of a span of time by provider; of very many, the newest 3,000.

    Ids of calls begin with their time, so the primary key finds them.
    """
    columns = attempts.c
    query = (
        select(
            columns.provider,
            columns.outcome,
            columns.http_status,
            columns.started_at,
            columns.ended_at,
        )
        .where(columns.id >= lowest_id(now - span))
        .order_by(columns.id.desc())
        .limit(_MOST)
    )
    by_provider = defaultdict(list)
    for row in connection.execute(query):
        by_provider[row.provider].append(row)
    counts = {}
    for name, rows in by_provider.items():
        seconds = sorted(
            (row.ended_at - row.started_at).total_seconds() for row in rows if row.ended_at
        )
        counts[name] = RecentCalls(
            calls=len(rows),
            outcomes=Counter(row.outcome and Outcome(row.outcome) for row in rows),
            throttled=sum(row.http_status == _THROTTLED for row in rows),
            p50=_quantile(seconds, 0.5),
            p95=_quantile(seconds, 0.95),
            since=min(row.started_at for row in rows),
        )
    return counts


def last_calls(connection: Connection, ids: Collection[UUID]) -> dict[UUID, RecordedAttempt]:
    """Return the newest call of each notification that has one."""
    query = (
        select(*ATTEMPT, attempts.c.notification_id)
        .where(attempts.c.notification_id.in_(ids))
        .order_by(attempts.c.number)
    )
    return {row.notification_id: attempt_of(row) for row in connection.execute(query)}


def _quantile(values: list[float], share: float) -> float | None:
    return values[min(len(values) - 1, int(share * len(values)))] if values else None
