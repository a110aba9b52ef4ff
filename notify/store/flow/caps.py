"""How much of each cap is used: counted once a notification, exact among all workers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
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
from sqlalchemy.dialects import postgresql, sqlite

from notify.message import Status
from notify.store.db.clock import db_now
from notify.store.tables import cap_counts, cap_uses, notifications

COUNT_KEPT = 3600
"""Seconds for which a count outlives its span of time: a slow transaction may still add to it."""
USE_KEPT = 86_400
"""Seconds for which it is known, after the span, that a notification was counted in it."""

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Charge:
    """What one notification adds to one count, and how much that may come to."""

    name: str
    starts: int
    ends: int
    """The span of time, in seconds since 1970."""
    cost: float
    most: float

    @property
    def count(self) -> Count:
        """Which count it is."""
        return self.name, self.starts, self.ends


Asked = Sequence[tuple[UUID, Sequence[Charge]]]
"""Notifications and what each would be charged, in the order in which they are served."""

Count = tuple[str, int, int]
"""The name of a count, and its span of time."""

_Use = tuple[UUID, str]


def charge_caps(connection: Connection, asked: Asked) -> list[str | None]:
    """
    Charge notifications, each wholly or not at all, and none twice for the same.

    All who charge lock the counts in one order, then write the uses in one order: nobody waits
    in a circle, and what was read of a count stands until the transaction ends.

    Returns:
        For each the name of a count that it does not fit in; None if it is charged, now or before.
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
    Add to counts, made where there are none, and lock them until the transaction ends.

    Returns:
        What they come to, with all that others have committed.
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
    """Note who is charged; leave out what another worker, in another span, charges right now."""
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
    Begin to insert rows in their order; give the statement, and its values.

    On PostgreSQL they travel as one array a column: else parsing would cost more than writing.
    """
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table), rows
    names = [column.name for column in table.columns]
    arrays = [bindparam(f"all_{each.name}", type_=ARRAY(each.type)) for each in table.columns]
    given = func.unnest(*arrays).table_valued(*names).render_derived()
    statement = postgresql.insert(table).from_select(names, select(given))
    return statement, {f"all_{name}": [row[name] for row in rows] for name in names}


def prune_caps(connection: Connection, *, limit: int) -> int:
    """
    Forget counts and uses of spans of time that are long over.

    The use of a notification that still waits is kept however old it is, so that its next try is
    not charged again.

    Returns:
        How many rows were removed; as many as *limit*, or more, if there are more.
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
