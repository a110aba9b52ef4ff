"""The limits that the fleet shares: one row each, booked by one statement on its own clock."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, fields
from typing import Any

from sqlalchemy import Connection, Row, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from notify import ratelimit
from notify.ratelimit import Ask, Grant, Limit, Standing
from notify.store.audit import Actor
from notify.store.clock import db_now, read_clock
from notify.store.tables import limits

USE = 10.0
"""Seconds over which a limit's use is told: what was granted earlier fades."""

# It says what `ratelimit.book` says. The row is locked before the clock is read, so that no
# moment is judged by what another booking has changed since. Nobody waits for the disk: a crash
# takes back what was granted within its last moments, not more.
_BOOK = """
WITH held AS MATERIALIZED (
    SELECT *, set_config('synchronous_commit', 'off', true) AS quick
    FROM limits WHERE name = %(name)s FOR UPDATE
), clock AS MATERIALIZED (
    SELECT *, CAST(extract(epoch FROM clock_timestamp()) AS float8) AS now FROM held
), known AS MATERIALIZED (
    SELECT tat, used, used_at, now,
        GREATEST(tat, now) AS base,
        paused_until,
        CASE WHEN set_rate IS NOT NULL AND COALESCE(set_until > now, true)
            THEN set_rate ELSE %(rate)s::float8 END AS ceiling,
        lowered + %(recovery)s::float8 * lowered_from * GREATEST(0, now - lowered_at)
            AS recovered,
        %(forgotten)s::float8 * lowered_from AS forgotten
    FROM clock
), paced AS MATERIALIZED (
    SELECT *,
        CASE WHEN ceiling IS NULL AND recovered > forgotten THEN NULL
            ELSE LEAST(ceiling, recovered) END AS pace
    FROM known
), bursting AS MATERIALIZED (
    SELECT *,
        CASE WHEN %(rate)s::float8 IS NULL THEN GREATEST(pace, 1) / 2
            ELSE %(half)s::float8 * LEAST(1, pace / %(rate)s::float8) END AS burst
    FROM paced
), bounded AS MATERIALIZED (
    SELECT *,
        GREATEST(%(share)s::float8 * burst, %(largest)s::float8) AS tolerance,
        LEAST(
            %(ahead)s::float8,
            CASE WHEN %(share)s::float8 >= 1
                THEN GREATEST(%(near)s::float8, LEAST(1 / pace, %(far)s::float8))
                ELSE LEAST(%(near)s::float8, GREATEST(
                    %(reserve)s::float8 * (1 - %(share)s::float8) * burst / pace,
                    %(slack)s::float8 - %(share)s::float8 * burst / pace
                )) END
        ) AS ahead
    FROM bursting
), roomy AS MATERIALIZED (
    SELECT *, (now - base) * pace + tolerance AS at_once,
        (now - base) * pace + tolerance + ahead * pace AS room
    FROM bounded
), booked AS MATERIALIZED (
    SELECT *,
        CASE WHEN paused_until > now THEN 0
            WHEN pace IS NULL THEN %(total)s::float8
            WHEN room >= %(total)s::float8
                THEN GREATEST(%(total)s::float8, LEAST(%(stock)s::float8, at_once))
            ELSE COALESCE((
                SELECT max(sum) FROM unnest(%(sums)s::float8[]) AS sum WHERE sum <= room
            ), 0) END AS units
    FROM roomy
)
UPDATE limits
SET tat = base + COALESCE(units / pace, 0),
    used = booked.used * exp(GREATEST(-50, (booked.used_at - now) / %(use)s)) + units / %(use)s,
    used_at = now
FROM booked
WHERE limits.name = %(name)s
RETURNING now, base, pace, burst, tolerance, booked.ahead, units, booked.paused_until
"""

_STANDING = [field.name for field in fields(Standing)]
_READ = f"""
SELECT {", ".join(_STANDING)}, used, used_at, (julianday('now') - 2440587.5) * 86400.0
FROM limits WHERE name = ?
"""  # noqa: S608 - the names of columns
_WRITE = "UPDATE limits SET tat = ?, used = ?, used_at = ? WHERE name = ?"

_RULES = {
    "recovery": ratelimit.RECOVERY,
    "forgotten": ratelimit.FORGOTTEN,
    "near": ratelimit.AHEAD,
    "far": ratelimit.FAR_AHEAD,
    "reserve": ratelimit.RESERVE,
    "slack": ratelimit.SLACK,
    "use": USE,
}

KEPT = 3600.0
"""Seconds after which a row that says nothing any more is removed."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One limit's row, as somebody reads it."""

    name: str
    standing: Standing
    use: float
    """Units a second that were granted lately."""
    actor: str | None
    """Who set its rate."""
    reason: str | None


def book(connection: Connection, limit: Limit, ask: Ask) -> Grant:
    """Book units of one limit, on a connection of `Store.booking`; its row is made if missing."""
    run = _book_on_sqlite if connection.dialect.name == "sqlite" else _book_on_postgresql
    grant = run(connection, limit, ask)
    while grant is None:
        _insert(connection, limit.name)
        grant = run(connection, limit, ask)
    return grant


def _book_on_postgresql(connection: Connection, limit: Limit, ask: Ask) -> Grant | None:
    values = {
        "name": limit.name,
        "rate": limit.rate,
        "half": limit.half,
        "sums": list(ask.sums),
        "total": ask.sums[-1],
        "largest": ask.largest,
        "stock": ask.stock,
        "share": ask.share,
        "ahead": ask.ahead,
    }
    row = connection.exec_driver_sql(_BOOK, _RULES | values).one_or_none()
    if row is None:
        return None
    now, base, rate, burst, tolerance, ahead, units, paused_until = row.tuple()
    return Grant(
        now=now,
        base=base,
        rate=rate,
        burst=burst or 0.0,
        tolerance=tolerance if rate else 0.0,
        ahead=ahead if rate else 0.0,
        units=units,
        paused_until=paused_until,
    )


def _book_on_sqlite(connection: Connection, limit: Limit, ask: Ask) -> Grant | None:
    # There is no need for one statement: the transaction has the database to itself.
    row = connection.exec_driver_sql(_READ, (limit.name,)).one_or_none()
    if row is None:
        return None
    *standing, used, used_at, now = row.tuple()
    grant = ratelimit.book(
        Standing(**dict(zip(_STANDING, standing, strict=True))), limit, ask, now=now
    )
    used = _faded(used, used_at, now) + grant.units / USE
    connection.exec_driver_sql(_WRITE, (grant.tat, used, now, limit.name))
    return grant


def pause(connection: Connection, name: str, *, seconds: float) -> tuple[Standing, float]:
    """Grant nothing of a limit for some seconds; give how it stands then, and the clock."""
    return _change(
        connection, name, lambda standing, now: ratelimit.pause(standing, seconds=seconds, now=now)
    )


def cut(
    connection: Connection, limit: Limit, *, retry_after: float | None, calls_per_second: float
) -> tuple[Standing, float]:
    """Lower a rate after a provider's complaint; give how it stands then, and the clock."""

    def change(standing: Standing, now: float) -> Standing:
        return ratelimit.cut(
            standing, limit, retry_after=retry_after, calls_per_second=calls_per_second, now=now
        )

    return _change(connection, limit.name, change)


def read(connection: Connection, names: Collection[str] | None = None) -> tuple[list[Seen], float]:
    """Read the rows of these names, or all, and the clock."""
    query = select(limits)
    if names is not None:
        query = query.where(limits.c.name.in_(names))
    now = read_clock(connection)
    rows = connection.execute(query.order_by(limits.c.name))
    return [_seen(row, now) for row in rows], now


def set_rate(
    connection: Connection, name: str, rate: float, *, seconds: float | None, actor: Actor
) -> None:
    """Put an operator's rate in place of the configured one, for some seconds or for good."""
    _insert(connection, name)
    until = None if seconds is None else db_now() + seconds
    values = {"set_rate": rate, "set_until": until, "actor": actor.name, "reason": actor.reason}
    connection.execute(update(limits).where(limits.c.name == name).values(**values))


def reset(connection: Connection, name: str) -> bool:
    """Forget what operators and providers said of a limit; tell whether there was anything."""
    said = ("lowered", "lowered_from", "lowered_at", "paused_until", "set_rate", "set_until")
    columns = [limits.c[each] for each in said]
    statement = (
        update(limits)
        .where(limits.c.name == name, or_(*(column.is_not(None) for column in columns)))
        .values(dict.fromkeys([*said, "actor", "reason"]))
    )
    return bool(connection.execute(statement).rowcount)


def clean(connection: Connection) -> int:
    """Remove the rows of values that nobody asked for lately; one that is missing says the same."""
    old = db_now() - KEPT
    columns = limits.c
    statement = delete(limits).where(
        columns.tat < old,
        columns.used_at < old,
        func.coalesce(columns.lowered_at, 0) < old,
        func.coalesce(columns.paused_until, 0) < old,
        or_(columns.set_rate.is_(None), columns.set_until < old),
    )
    return connection.execute(statement).rowcount


def _change(
    connection: Connection, name: str, change: Callable[[Standing, float], Standing]
) -> tuple[Standing, float]:
    _insert(connection, name)
    found = _row(connection, name, lock=True)
    assert found is not None  # noqa: S101 - this transaction has just made it sure
    row, now = found
    changed = change(_standing(row), now)
    connection.execute(update(limits).where(limits.c.name == name).values(**asdict(changed)))
    return changed, now


def _insert(connection: Connection, name: str) -> None:
    build = sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert
    statement = build(limits).values(name=name, tat=0.0, used=0.0, used_at=0.0)
    connection.execute(statement.on_conflict_do_nothing())


def _row(connection: Connection, name: str, *, lock: bool = False) -> tuple[Row[Any], float] | None:
    query = select(limits).where(limits.c.name == name)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else (row, read_clock(connection))


def _standing(row: Row[Any]) -> Standing:
    return Standing(**{name: row._mapping[name] for name in _STANDING})


def _faded(used: float, used_at: float, now: float) -> float:
    return used * math.exp(min(0.0, used_at - now) / USE)


def _seen(row: Row[Any], now: float) -> Seen:
    return Seen(row.name, _standing(row), _faded(row.used, row.used_at, now), row.actor, row.reason)
