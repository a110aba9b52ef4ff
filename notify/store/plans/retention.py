"""Retention of plans: deleted with their items, oldest first."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, select

from notify.store.tables import plan_items, plans


def delete_plans(connection: Connection, *, before: datetime, limit: int) -> int:
    """
    Delete items of plans that have not changed since *before*, and plans without items.

    A plan that a runner works on changes with each slice.

    Returns:
        How many rows were deleted; fewer than *limit* if nothing is left.
    """
    columns = plans.c
    old = select(columns.id).where(columns.updated_at <= before, columns.next_at.is_(None))
    # Locked: an operator may start one at this moment, which stays then.
    first = old.order_by(columns.id).limit(1).with_for_update(skip_locked=True)
    plan_id = connection.execute(first).scalar()
    if plan_id is None:
        return 0
    items = plan_items.c
    chosen = select(items.position).where(items.plan_id == plan_id).limit(limit)
    some = delete(plan_items).where(items.plan_id == plan_id, items.position.in_(chosen))
    deleted = connection.execute(some).rowcount
    if deleted < limit:
        connection.execute(delete(plans).where(columns.id == plan_id))
    # The next call deletes the next plan.
    return limit
