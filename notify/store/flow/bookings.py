"""Booking units of a shared limit, in one statement on the database's clock."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from sqlalchemy import Connection

from notify.policies import ratelimit
from notify.policies.ratelimit import BookingRequest, Grant, Limit, LimitState
from notify.store.flow.limits import USE, ensure_row, faded, log_set_back

# The same computation as `ratelimit.book`; tests/integration/store/test_limits.py compares both.
# The row is locked before the clock is read, so that no earlier time meets a later booking. The
# commit does not wait for the disk: a crash loses the bookings of its last moments only. The wait
# for the lock is short: after it, each process falls back to its own limiter.
_BOOK = """
WITH settings AS MATERIALIZED (
    SELECT set_config('synchronous_commit', 'off', true), set_config('lock_timeout', '5s', true)
), held AS MATERIALIZED (
    SELECT limits.* FROM settings, limits WHERE limits.name = %(name)s FOR UPDATE OF limits
), clock AS MATERIALIZED (
    SELECT *, CAST(extract(epoch FROM clock_timestamp()) AS float8) AS now FROM held
), set_back AS MATERIALIZED (
    SELECT *, CASE WHEN used_at > now + %(set_back)s::float8 THEN now - used_at ELSE 0 END AS by
    FROM clock
), known AS MATERIALIZED (
    SELECT used, now, by,
        tat + by AS tat, used_at + by AS used_at, lowered_at + by AS lowered_at,
        CASE WHEN paused_until + by > now + %(longest_pause)s::float8 + %(set_back)s::float8
            THEN now + %(longest_pause)s::float8 ELSE paused_until + by END AS paused_until,
        CASE WHEN set_rate IS NOT NULL AND COALESCE(set_until > now, true)
            THEN set_rate ELSE %(rate)s::float8 END AS ceiling,
        lowered + %(recovery)s::float8 * lowered_from * GREATEST(0, now - lowered_at - by)
            AS recovered,
        %(forgotten)s::float8 * lowered_from AS forgotten
    FROM set_back
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
), righted AS MATERIALIZED (
    SELECT *, GREATEST(now, LEAST(tat, now + GREATEST(COALESCE(paused_until - now, 0), 0)
        + GREATEST(burst, %(biggest)s::float8) / pace + %(far)s::float8)) AS base
    FROM bursting
), bounded AS MATERIALIZED (
    SELECT *,
        GREATEST(%(share)s::float8 * burst, %(largest)s::float8) AS tolerance,
        CASE WHEN %(share)s::float8 >= 1
            THEN GREATEST(%(near)s::float8, LEAST(1 / pace, %(far)s::float8))
            ELSE LEAST(%(near)s::float8, GREATEST(
                %(reserve)s::float8 * (1 - %(share)s::float8) * burst / pace,
                %(slack)s::float8 - %(share)s::float8 * burst / pace
            )) END AS horizon
    FROM righted
), capped AS MATERIALIZED (
    SELECT *, LEAST(%(ahead)s::float8, horizon) AS ahead FROM bounded
), roomy AS MATERIALIZED (
    SELECT *, (now - base) * pace + tolerance AS at_once,
        (now - base) * pace + tolerance + ahead * pace AS room
    FROM capped
), booked AS MATERIALIZED (
    SELECT *,
        CASE WHEN paused_until > now THEN 0
            WHEN pace IS NULL THEN %(total)s::float8
            WHEN room >= %(total)s::float8
                THEN GREATEST(%(total)s::float8, LEAST(%(lease)s::float8, at_once))
            ELSE COALESCE((
                SELECT max(sum) FROM unnest(%(sums)s::float8[]) AS sum WHERE sum <= room
            ), 0) END AS units
    FROM roomy
)
UPDATE limits
SET tat = base + COALESCE(units / pace, 0),
    used = booked.used * exp(GREATEST(-50, (booked.used_at - now) / %(use)s)) + units / %(use)s,
    used_at = now,
    lowered_at = booked.lowered_at,
    paused_until = booked.paused_until
FROM booked
WHERE limits.name = %(name)s
RETURNING now, base, pace, burst, tolerance, booked.ahead, horizon, units,
    booked.paused_until, GREATEST(-by, booked.tat - base) AS righted
"""

_STATE = [field.name for field in fields(LimitState)]
_READ = f"""
SELECT {", ".join(_STATE)}, used, used_at, (julianday('now') - 2440587.5) * 86400.0
FROM limits WHERE name = ?
"""  # noqa: S608 - the names of columns
_WRITE = """
UPDATE limits SET tat = ?, used = ?, used_at = ?, lowered_at = ?, paused_until = ? WHERE name = ?
"""

_RULES = {
    "recovery": ratelimit.RECOVERY,
    "forgotten": ratelimit.FORGOTTEN,
    "near": ratelimit.AHEAD,
    "far": ratelimit.FAR_AHEAD,
    "reserve": ratelimit.RESERVE,
    "slack": ratelimit.SLACK,
    "use": USE,
    "set_back": ratelimit.SET_BACK,
    "longest_pause": ratelimit.LONGEST_PAUSE,
    "biggest": ratelimit.LARGEST,
}


def book(connection: Connection, limit: Limit, ask: BookingRequest) -> Grant:
    """Book units of one limit, on a connection of `Store.booking`; insert its row if missing."""
    run = _book_on_sqlite if connection.dialect.name == "sqlite" else _book_on_postgresql
    grant = run(connection, limit, ask)
    while grant is None:
        ensure_row(connection, limit.name)
        grant = run(connection, limit, ask)
    return grant


def _book_on_postgresql(connection: Connection, limit: Limit, ask: BookingRequest) -> Grant | None:
    values = {
        "name": limit.name,
        "rate": limit.rate,
        "half": limit.half,
        "sums": list(ask.sums),
        "total": ask.sums[-1],
        "largest": ask.largest,
        "lease": ask.lease,
        "share": ask.share,
        "ahead": ask.ahead,
    }
    row = connection.exec_driver_sql(_BOOK, _RULES | values).one_or_none()
    if row is None:
        return None
    columns: list[Any] = list(row)
    now, base, rate, burst, tolerance, ahead, horizon, units, paused_until, righted = columns
    log_set_back(limit.name, righted)
    return Grant(
        now=now,
        base=base,
        rate=rate,
        burst=burst if rate else 0.0,
        tolerance=tolerance if rate else 0.0,
        ahead=ahead if rate else 0.0,
        horizon=horizon if rate else 0.0,
        units=units,
        paused_until=paused_until,
    )


def _book_on_sqlite(connection: Connection, limit: Limit, ask: BookingRequest) -> Grant | None:
    # Several statements: the transaction is the only writer.
    row = connection.exec_driver_sql(_READ, (limit.name,)).one_or_none()
    if row is None:
        return None
    columns: list[Any] = list(row)
    *state, used, used_at, now = columns
    written = LimitState(**dict(zip(_STATE, state, strict=True)))
    corrected = written.corrected(used_at, now)
    grant = ratelimit.book(corrected, limit, ask, now=now)
    log_set_back(limit.name, max(used_at - now, corrected.tat - grant.base))
    used = faded(used, used_at, now) + grant.units / USE
    values = (grant.tat, used, now, corrected.lowered_at, corrected.paused_until, limit.name)
    connection.exec_driver_sql(_WRITE, values)
    return grant
