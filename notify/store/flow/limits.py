"""The rows of shared limits: rates set by operators, cuts and pauses after a provider's 429."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Connection, Row, delete, func, or_, select, true, update

from notify.policies import ratelimit
from notify.policies.ratelimit import SET_BACK, Limit, LimitState
from notify.store.audit import Actor
from notify.store.db import upsert
from notify.store.db.clock import db_now, read_clock
from notify.store.tables import limits

log = structlog.get_logger("notify.limits")

USE = 10.0
"""Time constant in seconds of a limit's measured use."""
KEPT = 3600.0
"""Seconds after which a row without effect is removed."""

_STATE = [each.name for each in fields(LimitState)]
_CHANGES = [name for name in _STATE if name != "tat"]


@dataclass(frozen=True, slots=True)
class LimitRow:
    """One limit's row."""

    name: str
    state: LimitState = field(default_factory=LimitState)
    use: float = 0.0
    """Units a second that were recently granted."""
    actor: str | None = None
    """The operator who set its rate."""
    reason: str | None = None


def pause(connection: Connection, name: str, *, seconds: float) -> tuple[LimitState, float]:
    """Pause a limit for some seconds; return its new state and the database's time."""
    return _change(
        connection, name, lambda state, now: ratelimit.pause(state, seconds=seconds, now=now)
    )


def cut(
    connection: Connection, limit: Limit, *, retry_after: float | None, calls_per_second: float
) -> tuple[LimitState, float]:
    """Lower a rate after a provider's 429; return the new state and the database's time."""

    def change(state: LimitState, now: float) -> LimitState:
        return ratelimit.cut(
            state, limit, retry_after=retry_after, calls_per_second=calls_per_second, now=now
        )

    return _change(connection, limit.name, change)


def read(connection: Connection, names: Collection[str]) -> tuple[list[LimitRow], float]:
    """Return the existing rows of these names, and the database's time."""
    return _read(connection, limits.c.name.in_(names))


def read_all(connection: Connection, *, changed_only: bool) -> tuple[list[LimitRow], float]:
    """Return all rows, or those that an operator or provider changed, and the database's time."""
    changed = or_(*(limits.c[each].is_not(None) for each in _CHANGES))
    return _read(connection, changed if changed_only else true())


def _read(connection: Connection, which: ColumnElement[bool]) -> tuple[list[LimitRow], float]:
    now = read_clock(connection)
    rows = connection.execute(select(limits).where(which).order_by(limits.c.name))
    return [_limit_row(row, now) for row in rows], now


def set_rate(
    connection: Connection, name: str, rate: float, *, seconds: float | None, actor: Actor
) -> None:
    """Set an operator's rate instead of the configured one, for some seconds or without end."""
    ensure_row(connection, name)
    until = None if seconds is None else db_now() + seconds
    values = {"set_rate": rate, "set_until": until, "actor": actor.name, "reason": actor.reason}
    connection.execute(update(limits).where(limits.c.name == name).values(**values))


def reset(connection: Connection, name: str) -> bool:
    """Remove an operator's rate, cuts and pauses; return whether there were any."""
    changed = or_(*(limits.c[each].is_not(None) for each in _CHANGES))
    nothing = dict.fromkeys([*_CHANGES, "actor", "reason"])
    statement = update(limits).where(limits.c.name == name, changed).values(nothing)
    return bool(connection.execute(statement).rowcount)


def clean(connection: Connection) -> int:
    """Delete rows that are unused and have no effect; a missing row means the same."""
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
    connection: Connection, name: str, change: Callable[[LimitState, float], LimitState]
) -> tuple[LimitState, float]:
    ensure_row(connection, name)
    found = _row(connection, name, lock=True)
    assert found is not None  # noqa: S101 - `ensure_row` has inserted it
    row, now = found
    log_set_back(name, row.used_at - now)
    changed = change(_state(row, now), now)
    # No time in a row is later than its `used_at`, unless the clock was set back.
    values = asdict(changed) | {"used": faded(row.used, row.used_at, now), "used_at": now}
    connection.execute(update(limits).where(limits.c.name == name).values(**values))
    return changed, now


def ensure_row(connection: Connection, name: str) -> None:
    """Insert a limit's row if it is missing."""
    statement = upsert.insert(limits, connection).values(name=name, tat=0.0, used=0.0, used_at=0.0)
    connection.execute(statement.on_conflict_do_nothing())


def _row(connection: Connection, name: str, *, lock: bool = False) -> tuple[Row[Any], float] | None:
    query = select(limits).where(limits.c.name == name)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else (row, read_clock(connection))


def log_set_back(name: str, seconds: float) -> None:
    """Log a set-back of the clock, if a limit's times were ahead of it by these seconds."""
    if seconds > SET_BACK:
        log.warning("notify.clock_set_back", limit=name, seconds=round(seconds, 1))


def _state(row: Row[Any], now: float) -> LimitState:
    written = LimitState(**{name: row._mapping[name] for name in _STATE})
    return written.corrected(row.used_at, now)


def faded(used: float, used_at: float, now: float) -> float:
    """Return what is left at *now* of a use that was measured at *used_at*."""
    return used * math.exp(min(0.0, used_at - now) / USE)


def _limit_row(row: Row[Any], now: float) -> LimitRow:
    return LimitRow(
        row.name, _state(row, now), faded(row.used, row.used_at, now), row.actor, row.reason
    )
