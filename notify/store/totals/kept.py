"""
Kept totals: how many notifications are settled, by hour of receipt, channel, lane and status.

Each transaction that settles, reopens or deletes rows writes by how much the totals change. On
PostgreSQL it appends the changes, and `fold` adds them later: workers that would update the same
total would wait for each other's commits. SQLite has one writer at a time, which updates the total.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Subquery,
    cast,
    func,
    insert,
    literal_column,
    select,
    text,
    union_all,
)

from notify.store.status_rules import OPEN
from notify.store.tables import notifications, total_changes, totals

HOUR = timedelta(hours=1)
FOLDED = 5_000
"""Changes that are added to the totals in one transaction."""


class Group(NamedTuple):
    """Notifications that are counted together."""

    hour: int
    """Hours since 1970, UTC, of the receipt."""
    channel: str
    lane: str
    status: str

    @property
    def begin(self) -> datetime:
        """When the hour begins."""
        return hour_begin(self.hour)


HOUR_IN_SQL = {
    "sqlite": "CAST(strftime('%s', {}) AS INTEGER) / 3600",
    "postgresql": "floor(date_part('epoch', {}) / 3600)::bigint",
}
"""By dialect, `hour_of` in SQL; a format of a column or a parameter."""


def hour_of(at: datetime) -> int:
    """Return the hour in which a time lies."""
    return int(at.timestamp()) // 3600


def hour_begin(hour: int) -> datetime:
    """Return the time at which an hour begins."""
    return datetime.fromtimestamp(hour * 3600, UTC)


def hour_column(dialect: str) -> ColumnElement[Any]:
    """Return the expression for the hour of a notification's receipt."""
    received = str(notifications.c.received_at)
    return literal_column(HOUR_IN_SQL[dialect].format(received), BigInteger)


def change_totals(connection: Connection, changes: Mapping[Group, int]) -> None:
    """Change the totals by these numbers, with the caller's transaction."""
    values = [(*group, change) for group, change in sorted(changes.items()) if change]
    if not values:
        return
    if connection.dialect.name == "sqlite":
        connection.connection.cursor().executemany(ADD_ON_SQLITE, values)
        return
    names = total_changes.c.keys()
    rows = [dict(zip(names, each, strict=True)) for each in values]
    connection.execute(insert(total_changes), rows)


ADD_ON_SQLITE = """
INSERT INTO totals (hour, channel, lane, status, count) VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET count = count + excluded.count
"""
"""The statement of `change_totals` on SQLite, for each group and its change."""


def settled(rows: Iterable[Row[Any]], status: str, *, sign: int = 1) -> Counter[Group]:
    """
    Return the changes for rows that get a status, or with the *sign* -1 lose it.

    Args:
        rows: With the columns `channel`, `lane` and `received_at`.
    """
    changes: Counter[Group] = Counter()
    if status not in OPEN:
        for row in rows:
            changes[Group(hour_of(row.received_at), row.channel, row.lane, status)] += sign
    return changes


_LOCK = int.from_bytes(b"totals", "big")


def lock_totals(connection: Connection) -> None:
    """Make other corrections of the totals wait for this transaction; no other writer waits."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))


_FOLD = text("""
WITH chosen AS (
    SELECT ctid FROM total_changes LIMIT :limit FOR UPDATE SKIP LOCKED
), folded AS (
    DELETE FROM total_changes WHERE ctid = ANY (ARRAY(SELECT ctid FROM chosen))
    RETURNING hour, channel, lane, status, change
), added AS (
    INSERT INTO totals (hour, channel, lane, status, count)
    SELECT hour, channel, lane, status, sum(change) FROM folded
    GROUP BY hour, channel, lane, status ORDER BY hour, channel, lane, status
    ON CONFLICT (hour, channel, lane, status) DO UPDATE SET count = totals.count + excluded.count
)
SELECT count(*) FROM folded
""")


def fold(connection: Connection) -> bool:
    """Add appended changes to the totals; return whether more are left."""
    if connection.dialect.name == "sqlite":
        return False
    folded: int = connection.execute(_FOLD, {"limit": FOLDED}).scalar_one()
    return folded >= FOLDED


def current() -> Subquery:
    """Return the totals with the changes that are not added yet, as hour, ..., status, count."""
    kept = select(*totals.c)
    appended = select(*total_changes.c)
    parts = union_all(kept, appended).subquery("parts")
    *group, count = parts.c
    return (
        select(*group, cast(func.sum(count), BigInteger).label("count"))
        .group_by(*group)
        .having(func.sum(count) != 0)
        .subquery("current_totals")
    )
