"""The limits that the fleet shares, one row each: what operators and providers said of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Connection, Row, delete, func, or_, select, true, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from notify.policies import ratelimit
from notify.policies.ratelimit import SET_BACK, Limit, LimitState
from notify.store.audit import Actor
from notify.store.db.clock import db_now, read_clock
from notify.store.tables import limits

log = structlog.get_logger("notify.limits")

USE = 10.0
"""Seconds over which a limit's use is told: what was granted earlier fades."""
KEPT = 3600.0
"""Seconds after which a row that says nothing any more is removed."""

_STANDING = [each.name for each in fields(LimitState)]
_SAID = [name for name in _STANDING if name != "tat"]


@dataclass(frozen=True, slots=True)
class LimitRow:
    """One limit's row, as somebody reads it."""

    name: str
    standing: LimitState = field(default_factory=LimitState)
    use: float = 0.0
    """Units a second that were granted lately."""
    actor: str | None = None
    """Who set its rate."""
    reason: str | None = None


def pause(connection: Connection, name: str, *, seconds: float) -> tuple[LimitState, float]:
    """Grant nothing of a limit for some seconds; give how it stands then, and the clock."""
    return _change(
        connection, name, lambda standing, now: ratelimit.pause(standing, seconds=seconds, now=now)
    )


def cut(
    connection: Connection, limit: Limit, *, retry_after: float | None, calls_per_second: float
) -> tuple[LimitState, float]:
    """Lower a rate after a provider's complaint; give how it stands then, and the clock."""

    def change(standing: LimitState, now: float) -> LimitState:
        return ratelimit.cut(
            standing, limit, retry_after=retry_after, calls_per_second=calls_per_second, now=now
        )

    return _change(connection, limit.name, change)


def read(connection: Connection, names: Collection[str]) -> tuple[list[LimitRow], float]:
    """Read the rows of these names, as far as there are any, and the clock."""
    return _read(connection, limits.c.name.in_(names))


def read_all(connection: Connection, *, told: bool) -> tuple[list[LimitRow], float]:
    """Read all rows, or those of which an operator or a provider said something; and the clock."""
    said = or_(*(limits.c[each].is_not(None) for each in _SAID))
    return _read(connection, said if told else true())


def _read(connection: Connection, which: ColumnElement[bool]) -> tuple[list[LimitRow], float]:
    now = read_clock(connection)
    rows = connection.execute(select(limits).where(which).order_by(limits.c.name))
    return [_seen(row, now) for row in rows], now


def set_rate(
    connection: Connection, name: str, rate: float, *, seconds: float | None, actor: Actor
) -> None:
    """Put an operator's rate in place of the configured one, for some seconds or for good."""
    ensure_row(connection, name)
    until = None if seconds is None else db_now() + seconds
    values = {"set_rate": rate, "set_until": until, "actor": actor.name, "reason": actor.reason}
    connection.execute(update(limits).where(limits.c.name == name).values(**values))


def reset(connection: Connection, name: str) -> bool:
    """Forget what operators and providers said of a limit; tell whether there was anything."""
    said = or_(*(limits.c[each].is_not(None) for each in _SAID))
    nothing = dict.fromkeys([*_SAID, "actor", "reason"])
    statement = update(limits).where(limits.c.name == name, said).values(nothing)
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
    connection: Connection, name: str, change: Callable[[LimitState, float], LimitState]
) -> tuple[LimitState, float]:
    ensure_row(connection, name)
    found = _row(connection, name, lock=True)
    assert found is not None  # noqa: S101 - this transaction has just made it sure
    row, now = found
    log_set_back(name, row.used_at - now)
    changed = change(_standing(row, now), now)
    # All times of a row are from before its `used_at`: it tells whether the clock was set back.
    values = asdict(changed) | {"used": faded(row.used, row.used_at, now), "used_at": now}
    connection.execute(update(limits).where(limits.c.name == name).values(**values))
    return changed, now


def ensure_row(connection: Connection, name: str) -> None:
    """Make a limit's row, if it is missing."""
    build = sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert
    statement = build(limits).values(name=name, tat=0.0, used=0.0, used_at=0.0)
    connection.execute(statement.on_conflict_do_nothing())


def _row(connection: Connection, name: str, *, lock: bool = False) -> tuple[Row[Any], float] | None:
    query = select(limits).where(limits.c.name == name)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else (row, read_clock(connection))


def log_set_back(name: str, seconds: float) -> None:
    """Log that a limit's times were ahead of the clock by what it was set back, if they were."""
    if seconds > SET_BACK:
        log.warning("notify.clock_set_back", limit=name, seconds=round(seconds, 1))


def _standing(row: Row[Any], now: float) -> LimitState:
    written = LimitState(**{name: row._mapping[name] for name in _STANDING})
    return written.corrected(row.used_at, now)


def faded(used: float, used_at: float, now: float) -> float:
    """Tell what is left of a use that was noted some time ago."""
    return used * math.exp(min(0.0, used_at - now) / USE)


def _seen(row: Row[Any], now: float) -> LimitRow:
    return LimitRow(
        row.name, _standing(row, now), faded(row.used, row.used_at, now), row.actor, row.reason
    )
