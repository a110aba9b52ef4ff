"""Holds: placed and lifted by operators, and the notifications that they keep waiting."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    case,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.engine import Row

from notify.message import Channel, Status
from notify.policies.holds import Hold, Scope
from notify.store.db.clock import db_now
from notify.store.tables import holds, notifications

_WAITING = (str(Status.SCHEDULED), str(Status.QUEUED))
SCOPE_PARTS = tuple(field.name for field in fields(Scope))
"""The names of the parts of a scope."""


def place(
    connection: Connection,
    scope: Scope,
    *,
    actor: str,
    reason: str,
    seconds: float | None = None,
) -> Hold:
    """Place a hold on *scope*, for some *seconds* or until it is lifted."""
    parts = {name: getattr(scope, name) for name in SCOPE_PARTS}
    row = connection.execute(
        insert(holds)
        .values(
            **parts,
            since=db_now(),
            until=None if seconds is None else db_now() + seconds,
            actor=actor[:255],
            reason=reason[:1000],
        )
        .returning(*holds.c)
    ).one()
    return _hold(row)


def current(connection: Connection) -> tuple[list[Hold], float]:
    """Return the active holds, oldest first, and the database's time."""
    query = select(*holds.c).where(_is_active()).order_by(holds.c.id)
    found = [_hold(row) for row in connection.execute(query)]
    return found, float(connection.execute(select(db_now())).scalar_one())


def placed_by(connection: Connection, scope: Scope, *, actor: str) -> tuple[bool, float]:
    """
    Return whether an actor's hold on exactly this scope is active, and when the last one ended.

    The second is 0 if none has ended; both times are seconds since 1970.
    """
    parts = [holds.c[name].is_not_distinct_from(getattr(scope, name)) for name in SCOPE_PARTS]
    query = select(holds.c.until).where(holds.c.actor == actor[:255], *parts)
    now = float(connection.execute(select(db_now())).scalar_one())
    ends = [row.until for row in connection.execute(query)]
    active = any(until is None or until > now for until in ends)
    return active, max((until for until in ends if until is not None and until <= now), default=0.0)


def lift(connection: Connection, ids: Collection[int]) -> list[Hold]:
    """
    End holds before their time.

    `release_ended`, which every worker calls, makes their notifications due.

    Returns:
        Those that were active until now.
    """
    statement = (
        update(holds)
        .where(holds.c.id.in_(ids), _is_active())
        .values(until=db_now())
        .returning(*holds.c)
    )
    return sorted(map(_hold, connection.execute(statement)), key=lambda hold: hold.id)


def hold_ids_in_use(connection: Connection) -> Iterator[int]:
    """
    Yield the ids of the holds, ended ones included, that keep notifications waiting.

    Each costs one look into an index, however many notifications it keeps.
    """
    of_row = notifications.c.hold_id
    last = 0
    while True:
        following = select(of_row).where(of_row > last).order_by(of_row).limit(1)
        found = connection.execute(following).scalar()
        if found is None:
            return
        yield found
        last = found


def release_ended(
    connection: Connection, ids: Collection[int], *, now: datetime, limit: int
) -> int:
    """
    Make the notifications of ended holds due, oldest hold first.

    Returns:
        How many rows were released, at most *limit*.
    """
    columns = notifications.c
    chosen = (
        select(columns.id)
        .where(columns.hold_id.in_(ids))
        .order_by(columns.hold_id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        # Run once: PostgreSQL may repeat a subquery, and lock more rows than the limit.
        .cte("chosen")
    )
    waits = and_(columns.status == str(Status.QUEUED), columns.due_at > now)
    statement = (
        update(notifications)
        .where(columns.id.in_(select(chosen.c.id)))
        .values(
            hold_id=None,
            due_at=case((waits, now), else_=columns.due_at),
            # A wait is dated by its change (`set_back`).
            updated_at=case((waits, now), else_=columns.updated_at),
        )
        .returning(columns.id)
    )
    return len(connection.execute(statement).all())


def count_held(connection: Connection, ids: Collection[int]) -> dict[int, int]:
    """Return how many notifications each hold keeps waiting."""
    columns = notifications.c
    query = (
        select(columns.hold_id, func.count())
        .where(columns.hold_id.in_(ids), columns.status.in_(_WAITING))
        .group_by(columns.hold_id)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def count_waiting(connection: Connection, scope: Scope) -> dict[Status, int]:
    """
    Count, by status, the notifications of *scope* that wait in the record for their due time.

    Messages at the broker are not counted.
    """
    columns = notifications.c
    parts = [columns[name] == value for name, value in scope.given.items() if name in columns]
    query = (
        select(columns.status, func.count())
        .where(columns.due_at.is_not(None), columns.status.in_(_WAITING), *parts)
        .group_by(columns.status)
    )
    return {Status(row[0]): row[1] for row in connection.execute(query)}


def _is_active() -> ColumnElement[bool]:
    # Ended holds are kept: SQLite would reuse the id of a deleted one for the next, which would
    # then keep the first one's notifications waiting.
    return or_(holds.c.until.is_(None), holds.c.until > db_now())


def _hold(row: Row[Any]) -> Hold:
    values = row._asdict()
    values["channel"] = values["channel"] and Channel(values["channel"])
    return Hold(**values)
