"""The use of caps: each notification counts once, exactly across all workers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Table,
    and_,
    bindparam,
    delete,
    func,
    select,
    tuple_,
)

from notify.message import Status
from notify.store.db import upsert
from notify.store.db.clock import db_now
from notify.store.tables import cap_counts, cap_uses, notifications

COUNT_KEPT = 3600
"""Seconds for which a count is kept after its span: a slow transaction may still add to it."""
USE_KEPT = 86_400
"""Seconds for which the use of a notification is kept after its span."""

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Charge:
    """One notification's addition to one count, and the count's limit."""

    name: str
    starts: int
    ends: int
    """The span of time, in seconds since 1970."""
    cost: float
    most: float

    @property
    def count(self) -> Count:
        """The key of its count."""
        return self.name, self.starts, self.ends


Asked = Sequence[tuple[UUID, Sequence[Charge]]]
"""Notifications with their charges, in the order of service."""

Count = tuple[str, int, int]
"""The key of a count: its name, and its span of time."""

_Use = tuple[UUID, str]


def charge_caps(connection: Connection, asked: Asked) -> list[str | None]:
    """
    Charge notifications, each completely or not at all, and each count only once.

    Counts are locked in one order, then uses are written in one order: there is no deadlock, and a
    count does not change until the transaction ends.

    Returns:
        For each the name of a count that is full for it; None if it is charged, now or before.
    """
    used = _add(connection, {charge.count: 0.0 for _, charges in asked for charge in charges})
    counted = _counted(connection, [id_ for id_, _ in asked])
    answers = []
    uses: dict[_Use, Charge] = {}
    for id_, charges in asked:
        new = [charge for charge in charges if (id_, charge.name) not in counted]
        full = next((charge.name for charge in new if not _fits(charge, used)), None)
        answers.append(full)
        if full is None:
            for charge in new:
                used[charge.count] += charge.cost
                counted.add((id_, charge.name))
                uses[id_, charge.name] = charge
    costs: defaultdict[Count, float] = defaultdict(float)
    for charge in _written(connection, uses):
        costs[charge.count] += charge.cost
    _add(connection, costs)
    return answers


def _fits(charge: Charge, used: Mapping[Count, float]) -> bool:
    return used[charge.count] + charge.cost <= charge.most * (1 + _ROUNDING)


def _add(connection: Connection, amounts: Mapping[Count, float]) -> dict[Count, float]:
    """
    Add to counts, inserting missing ones, and lock them until the transaction ends.

    Returns:
        Their new values.
    """
    if not amounts:
        return {}
    rows = [
        {"name": name, "starts": starts, "ends": ends, "used": amount}
        for (name, starts, ends), amount in sorted(amounts.items())
    ]
    statement, values = _insert(connection, cap_counts, rows)
    columns = cap_counts.c
    adding = statement.on_conflict_do_update(
        index_elements=["name", "starts"], set_={"used": columns.used + statement.excluded.used}
    )
    found = connection.execute(adding.returning(*columns), values)
    return {(row.name, row.starts, row.ends): row.used for row in found}


def _counted(connection: Connection, ids: Sequence[UUID]) -> set[_Use]:
    columns = cap_uses.c
    query = select(columns.notification_id, columns.name).where(columns.notification_id.in_(ids))
    return {(row.notification_id, row.name) for row in connection.execute(query)}


def _written(connection: Connection, uses: dict[_Use, Charge]) -> list[Charge]:
    """Write the uses; return the charges except those that another worker wrote first."""
    if not uses:
        return []
    rows = [
        {"notification_id": id_, "name": name, "ends": uses[id_, name].ends}
        for id_, name in sorted(uses)
    ]
    statement, values = _insert(connection, cap_uses, rows)
    columns = cap_uses.c
    writing = statement.on_conflict_do_nothing().returning(columns.notification_id, columns.name)
    done = connection.execute(writing, values)
    return [uses[row.notification_id, row.name] for row in done]


def _insert(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> Any:
    """
    Return the statement that inserts rows in their order, and its values.

    On PostgreSQL the values are one array for each column: parsing rows would cost more.
    """
    statement = upsert.insert(table, connection)
    if connection.dialect.name == "sqlite":
        return statement, rows
    names = [column.name for column in table.columns]
    arrays = [bindparam(f"all_{each.name}", type_=ARRAY(each.type)) for each in table.columns]
    table_of_arrays = func.unnest(*arrays).table_valued(*names).render_derived()
    statement = statement.from_select(names, select(table_of_arrays))
    return statement, {f"all_{name}": [row[name] for row in rows] for name in names}


def read_cap_use(
    connection: Connection, names: Collection[str], *, now: float, prefix: str = ""
) -> list[tuple[str, float]]:
    """
    Return the counts of caps in their current spans, the most used first, at most 50.

    Args:
        names: The names of counts.
        now: Seconds since 1970 by the database's clock.
        prefix: Instead of names, the beginning of the names of counts.
    """
    columns = cap_counts.c
    # `~` sorts after each character of a name.
    of_names = columns.name.in_(names)
    of_prefix = columns.name.between(prefix, f"{prefix}~")
    query = (
        select(columns.name, columns.used)
        .where(of_prefix if prefix else of_names, columns.starts <= now, columns.ends > now)
        .order_by(columns.used.desc(), columns.name)
        .limit(50)
    )
    return [(row.name, row.used) for row in connection.execute(query)]


def change_cap_count(
    connection: Connection, count: Count, change: Callable[[float], float]
) -> tuple[float, float]:
    """Change a count, which is locked until the transaction ends; return it before and after."""
    before = _add(connection, {count: 0.0})[count]
    after = change(before)
    _add(connection, {count: after - before})
    return before, after


def prune_caps(connection: Connection, *, limit: int) -> int:
    """
    Delete old counts and uses.

    The use of a waiting notification is kept, however old it is, so that its next try is not
    charged again.

    Returns:
        How many rows were deleted; *limit* or more if some are left.
    """
    counts = _remove(connection, cap_counts, cap_counts.c.ends <= db_now() - COUNT_KEPT, limit)
    of_use = notifications.c.id == cap_uses.c.notification_id
    open_ = notifications.c.status.in_([str(each) for each in Status if not each.final])
    waits = select(notifications.c.id).where(of_use, open_).exists()
    old = and_(cap_uses.c.ends <= db_now() - USE_KEPT, ~waits)
    return counts + _remove(connection, cap_uses, old, limit)


def _remove(connection: Connection, table: Table, old: ColumnElement[bool], limit: int) -> int:
    key = list(table.primary_key)
    chosen = (
        select(*key)
        .where(old)
        .order_by(table.c.ends)
        .limit(limit)
        .with_for_update(skip_locked=True)
        # Run once: PostgreSQL may repeat a subquery, and delete more rows than the limit.
        .cte("chosen")
    )
    statement = delete(table).where(tuple_(*key).in_(select(chosen))).returning(key[0])
    return len(connection.execute(statement).all())
