"""Recent calls to providers: how they ended and how long they took."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import CTE, Connection, Row, func, select

from notify.message import Outcome, lowest_id
from notify.store.queries import ATTEMPT, RecordedAttempt, attempt_of
from notify.store.tables import attempts

_MOST = 1_000
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
    Count the calls of a span of time by provider; of very many, the newest 1,000.

    Ids of calls begin with their time, so the primary key finds them.
    """
    columns = attempts.c
    names = ("provider", "outcome", "http_status", "started_at", "ended_at")
    recent = (
        select(*(columns[name] for name in names))
        .where(columns.id >= lowest_id(now - span))
        .order_by(columns.id.desc())
        .limit(_MOST)
        .cte("recent")
    )
    seconds = _seconds(connection, recent)
    found: defaultdict[str, list[Row[Any]]] = defaultdict(list)
    kinds = (recent.c.provider, recent.c.outcome, recent.c.http_status)
    query = select(
        *kinds, func.count().label("calls"), func.min(recent.c.started_at).label("since")
    )
    for row in connection.execute(query.group_by(*kinds)):
        found[row.provider].append(row)
    return {
        name: RecentCalls(
            calls=sum(row.calls for row in rows),
            outcomes=_outcomes(rows),
            throttled=sum(row.calls for row in rows if row.http_status == _THROTTLED),
            p50=seconds.get((name, 50)),
            p95=seconds.get((name, 95)),
            since=min(row.since for row in rows),
        )
        for name, rows in found.items()
    }


def _outcomes(rows: Sequence[Row[Any]]) -> Mapping[Outcome | None, int]:
    counts: Counter[Outcome | None] = Counter()
    for row in rows:
        counts[row.outcome and Outcome(row.outcome)] += row.calls
    return counts


def _seconds(connection: Connection, recent: CTE) -> dict[tuple[str, int], float]:
    """
    Return the seconds that 50 and 95 of 100 recorded calls took at most, by provider.

    The database sorts them: to read 1,000 rows would cost this process more than all the rest.
    """
    columns = recent.c
    if connection.dialect.name == "sqlite":
        took = func.julianday(columns.ended_at) - func.julianday(columns.started_at)
    else:
        took = columns.ended_at - columns.started_at
    number = func.row_number().over(partition_by=columns.provider, order_by=took)
    ranked = (
        select(
            columns.provider,
            columns.started_at,
            columns.ended_at,
            number.label("number"),
            func.count().over(partition_by=columns.provider).label("calls"),
        )
        .where(columns.ended_at.is_not(None))
        .subquery()
    )
    found = {}
    places = {percent: ranked.c.calls * percent // 100 + 1 for percent in (50, 95)}
    query = select(ranked).where(ranked.c.number.in_(list(places.values())))
    for row in connection.execute(query):
        for percent in places:
            if row.number == row.calls * percent // 100 + 1:
                found[row.provider, percent] = (row.ended_at - row.started_at).total_seconds()
    return found


def last_calls(connection: Connection, ids: Collection[UUID]) -> dict[UUID, RecordedAttempt]:
    """Return the newest call of each notification that has one."""
    query = (
        select(*ATTEMPT, attempts.c.notification_id)
        .where(attempts.c.notification_id.in_(ids))
        .order_by(attempts.c.number)
    )
    return {row.notification_id: attempt_of(row) for row in connection.execute(query)}
