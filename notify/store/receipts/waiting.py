"""Receipts that wait: their call is in flight, or no call of theirs is on record yet."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, and_, or_, select

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
    columns, asked = receipts.c, notifications.c
    waited = columns.waits_until <= now
    lapsed = or_(asked.lease_until.is_(None), asked.lease_until <= now)
    recorded = and_(asked.id.is_not(None), asked.status != Status.SENDING)
    query = (
        select(*WAITING_COLUMNS)
        .outerjoin(notifications, asked.id == columns.notification_id)
        .where(columns.waits_until.is_not(None), or_(recorded, and_(waited, lapsed)))
        .order_by(columns.id)
        .limit(limit)
        .with_for_update(skip_locked=True, of=receipts)
    )
    found = []
    for row in connection.execute(query):
        values = row._asdict()
        values["event"] = ReceiptEvent(values["event"])
        found.append(WaitingReceipt(**values))
    return found
