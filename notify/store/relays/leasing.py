"""The statement with which a relay or reconciler leases the rows that it will publish or settle."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, ColumnElement, Table, Update, select, update

from notify.store.set_back import unleased


def lease_rows(
    table: Table,
    *wanted: ColumnElement[bool],
    until: Column[datetime],
    first: Column[Any],
    now: datetime,
    lease: timedelta,
    limit: int,
) -> Update:
    """
    Return an update that leases matching rows without a lease; the caller adds what it returns.

    Rows that another transaction has locked are skipped. When *lease* is over, another process may
    lease the rows: this one may have died.

    Args:
        until: The column of *table* for the lease's end.
        first: The column by which rows are chosen, the lowest first.
    """
    chosen = (
        select(table.c.id)
        .where(*wanted, unleased(until, now=now, lease=lease))
        .order_by(first)
        .limit(limit)
        .with_for_update(skip_locked=True)
        # Run once: PostgreSQL may repeat a subquery, and lock more rows than the limit.
        .cte("chosen")
    )
    return update(table).where(table.c.id.in_(select(chosen.c.id))).values({until: now + lease})
