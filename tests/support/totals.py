"""The kept totals of a record, and the same counted from its rows."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import select

from notify.store import Store
from notify.store.status_rules import OPEN
from notify.store.tables import notifications
from notify.store.totals import Group, current, hour_of


def kept_totals(store: Store) -> dict[Group, int]:
    """Return the totals as they are kept."""
    found = current()
    with store.reading() as connection:
        return {Group(*row[:4]): row[4] for row in connection.execute(select(found))}


def counted_totals(store: Store) -> dict[Group, int]:
    """Return the totals as the rows are."""
    columns = notifications.c
    query = select(columns.received_at, columns.channel, columns.lane, columns.status)
    with store.reading() as connection:
        rows = connection.execute(query.where(columns.status.not_in(OPEN))).all()
    return Counter(Group(hour_of(row[0]), *row[1:]) for row in rows)
