"""How much of each cap is used: counted once a notification, exact among all workers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Table, and_, bindparam, delete, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from notify.message import Status
from notify.store.clock import db_now
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
    def count(self) -> tuple[str, int]:
        """Which count it is."""
        return self.name, self.starts


Asked = Sequence[tuple[UUID, Sequence[Charge]]]
"""Notifications and what each would be charged, in the order in which they are served."""

_Use = tuple[UUID, str]


def admit(connection: Connection, asked: Asked) -> list[str | None]:
    """
    Charge notifications, each wholly or not at all, and none twice for the same.

    All who charge lock the counts in one order, then write the uses in one order: nobody waits
    in a circle, and what was read of a count stands until the transaction ends.

    Returns:
        For each the name of a count that it does not fit in; None if it is charged, now or before.
    """
    used = _locked(connection, [charge for _, charges in asked for charge in charges])
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
    _charge(connection, _written(connection, uses))
    return answers


def _fits(charge: Charge, used: dict[tuple[str, int], float]) -> bool:
    return used[charge.count] + charge.cost <= charge.most * (1 + _ROUNDING)


def _locked(connection: Connection, charges: Iterable[Charge]) -> dict[tuple[str, int], float]:
    """Read the counts, made where there are none, and lock them until the transaction ends."""
    ends = {charge.count: charge.ends for charge in charges}
    if not ends:
        return {}
    rows = [
        {"name": name, "starts": starts, "ends": ends[name, starts], "used": 0.0}
        for name, starts in sorted(ends)
    ]
    # A change to what it is locks a row, and gives what others have just committed.
    locking = _insert(connection, cap_counts).on_conflict_do_update(
        index_elements=["name", "starts"], set_={"used": cap_counts.c.used}
    )
    columns = cap_counts.c
    found = connection.execute(locking.returning(columns.name, columns.starts, columns.used), rows)
    return {(row.name, row.starts): row.used for row in found}


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
    statement = _insert(connection, cap_uses).on_conflict_do_nothing()
    columns = cap_uses.c
    done = connection.execute(statement.returning(columns.notification_id, columns.name), rows)
    return [uses[row.notification_id, row.name] for row in done]


_ADD = (
    cap_counts.update()
    .where(cap_counts.c.name == bindparam("of_name"), cap_counts.c.starts == bindparam("of_start"))
    .values(used=cap_counts.c.used + bindparam("cost"))
)


def _charge(connection: Connection, charges: Iterable[Charge]) -> None:
    costs: defaultdict[tuple[str, int], float] = defaultdict(float)
    for charge in charges:
        costs[charge.count] += charge.cost
    if costs:
        rows = [
            {"of_name": name, "of_start": starts, "cost": cost}
            for (name, starts), cost in costs.items()
        ]
        connection.execute(_ADD, rows)


def _insert(connection: Connection, table: Table) -> Any:
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    return dialect.insert(table)


def prune(connection: Connection, *, limit: int) -> int:
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
    )
    return connection.execute(delete(table).where(tuple_(*key).in_(chosen))).rowcount
