"""Retention of the list: entries that were lifted or have ended are deleted after a time."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, and_, delete, or_, select

from notify.store.tables import suppressions


def delete_ended_entries(connection: Connection, *, before: datetime, limit: int) -> int:
    """
    Delete the next entries that ended, or were lifted, before then; return their number.

    An entry that a vendor's own list still has to lose stays.
    """
    columns = suppressions.c
    lifted = and_(columns.lifted_at <= before, ~columns.vendor_lift)
    ended = and_(columns.lifted_at.is_(None), columns.until <= before)
    query = select(columns.id).where(or_(lifted, ended)).order_by(columns.id).limit(limit)
    ids: list[int] = list(connection.execute(query.with_for_update(skip_locked=True)).scalars())
    return connection.execute(delete(suppressions).where(columns.id.in_(ids))).rowcount
