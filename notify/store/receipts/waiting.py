"""Receipts that wait: their call is in flight, or no call of theirs is on record yet."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, ScalarSelect, and_, or_, select

from notify.message import Status
from notify.receipt import ReceiptEvent
from notify.store.receipts.rows import WAITING_COLUMNS, WaitingReceipt
from notify.store.tables import notifications, receipts


def lock_waiting(connection: Connection, *, now: datetime, limit: int) -> Sequence[WaitingReceipt]:
    """
    Lock the oldest waiting receipts that can be applied now, and return them.

    One can be once its notification is no longer being sent, or once its wait is over and no worker
    has the notification's lease. Rows that another process has locked are skipped.
    """
    columns = receipts.c
    # Row by row, and in the order of the index: by a join, or in the order of ids, PostgreSQL reads
    # a whole table if there were many waiting ones when it gathered statistics.
    status, lease_until = _of_notification("status"), _of_notification("lease_until")
    lapsed = and_(columns.waits_until <= now, or_(lease_until.is_(None), lease_until <= now))
    query = (
        select(*WAITING_COLUMNS)
        .where(columns.waits_until.is_not(None), or_(status != Status.SENDING, lapsed))
        .order_by(columns.waits_until)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    found = []
    for row in connection.execute(query):
        values = row._asdict()
        values["event"] = ReceiptEvent(values["event"])
        found.append(WaitingReceipt(**values))
    return sorted(found, key=lambda each: each.id)


def _of_notification(name: str) -> ScalarSelect[Any]:
    """Select a column of the receipt's notification; null if none matches it."""
    columns = notifications.c
    query = select(columns[name]).where(columns.id == receipts.c.notification_id)
    return query.scalar_subquery()
