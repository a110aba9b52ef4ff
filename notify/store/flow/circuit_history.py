"""The history of circuits: each change of state or mode, kept after an outage is over."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, delete, insert, or_, select

from notify.policies.breaker import Circuit, CircuitState, Mode
from notify.store.db.clock import Moment, db_now
from notify.store.tables import circuit_changes


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitChange:
    """
    One change of a circuit's state or mode.

    Attributes:
        at: Seconds since 1970 by the database's clock.
        trips: How often it opened since it was last closed.
        cause: Why it opened.
        actor: The operator who set its mode; `reason` says why.
    """

    id: int
    provider: str
    at: float
    state_before: CircuitState
    state: CircuitState
    mode_before: Mode
    mode: Mode
    trips: int
    cause: str | None
    actor: str | None
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitChangeFilter:
    """The changes to select; None does not filter."""

    providers: Collection[str] = ()
    """Only changes of these; all if empty."""
    state: CircuitState | None = None
    """Only changes to this state."""
    since: Moment | None = None
    until: Moment | None = None


def record_change(connection: Connection, before: Circuit, after: Circuit, *, now: float) -> None:
    """Write a change of state or mode, in the caller's transaction; ignore other changes."""
    if (before.state, before.mode) == (after.state, after.mode):
        return
    row = {
        "provider": after.provider,
        "at": now,
        "state_before": before.state,
        "state": after.state,
        "mode_before": before.mode,
        "mode": after.mode,
        **{name: getattr(after, name) for name in ("trips", "cause", "actor", "reason")},
    }
    connection.execute(insert(circuit_changes).values(row))


def find_circuit_changes(
    connection: Connection, wanted: CircuitChangeFilter, *, limit: int
) -> list[CircuitChange]:
    """Return the newest changes that match, newest first."""
    columns = circuit_changes.c
    query = select(circuit_changes).where(*_conditions(wanted))
    query = query.order_by(columns.at.desc(), columns.id.desc()).limit(limit)
    return [
        CircuitChange(
            **row._asdict()
            | {"state_before": CircuitState(row.state_before), "state": CircuitState(row.state)}
            | {"mode_before": Mode(row.mode_before), "mode": Mode(row.mode)}
        )
        for row in connection.execute(query)
    ]


def delete_circuit_changes(connection: Connection, *, before: datetime, limit: int) -> int:
    """Delete the next changes of before then, and return how many."""
    columns = circuit_changes.c
    query = select(columns.id).where(columns.at <= before.timestamp()).order_by(columns.id)
    ids: Sequence[int] = connection.execute(query.limit(limit)).scalars().all()
    connection.execute(delete(circuit_changes).where(columns.id.in_(ids)))
    return len(ids)


def _conditions(wanted: CircuitChangeFilter) -> Iterator[ColumnElement[bool]]:
    columns = circuit_changes.c
    if wanted.providers:
        yield or_(*(columns.provider == name for name in wanted.providers))
    if wanted.state is not None:
        yield columns.state == wanted.state
        yield columns.state_before != wanted.state
    if wanted.since is not None:
        yield columns.at >= _seconds(wanted.since)
    if wanted.until is not None:
        yield columns.at < _seconds(wanted.until)


def _seconds(when: Moment) -> float | ColumnElement[float]:
    if isinstance(when, timedelta):
        return db_now() - when.total_seconds()
    return when.timestamp()
