"""The use case of cancelling notifications that no worker has claimed yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from notify.store import Actor, Store, write_audit
from notify.store.delivery import BY_SOURCE, Cancelled, cancel_rows, cancel_waiting


def cancel_notifications(
    store: Store,
    id_: UUID,
    actor: Actor,
    *,
    source: str | None = None,
    by_source: bool = False,
) -> Cancelled:
    """
    Cancel a notification, or all of a batch that no worker has claimed, with its audit row.

    Their producers are notified by events. If nothing could be cancelled, nothing is written.

    Args:
        id_: The id of a notification or a batch.
        source: Its source, needed if several sources use the id.
        by_source: Whether the source itself cancels it, which the record says then.

    Returns:
        The notifications that were cancelled, and those for which it was too late.

    Raises:
        NotifyError: Several sources use the id.
        StoreError: The record cannot be written.
    """
    with store.writing() as connection:
        now = store.clock()
        why = {"why": BY_SOURCE} if by_source else {}
        result = cancel_waiting(connection, id_, source=source, now=now, **why)
        if result.ids:
            left = Counter(status.value for status in result.others.values())
            details = {"id": str(id_), "cancelled": len(result.ids), "left": dict(left)}
            write_audit(connection, actor, "cancel", details=details, at=now)
    return result


def cancel_within(
    connection: Connection,
    rows: Collection[UUID],
    actor: Actor,
    *,
    now: datetime,
    part_of: Mapping[str, Any] | None = None,
) -> Cancelled:
    """
    Cancel notifications by their rows as `cancel_notifications` does, in the caller's transaction.

    Args:
        part_of: Further details of the audit row.
    """
    result = cancel_rows(connection, rows, now=now)
    if result.ids:
        ids = [str(each) for each in result.ids]
        details = {"ids": ids, "cancelled": len(ids), **(part_of or {})}
        write_audit(connection, actor, "cancel", details=details, at=now)
    return result
