"""The changes that receipts make to notifications and their calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, bindparam, func, update

from notify.message import Status
from notify.store.status_rules import RowTransition, Transition
from notify.store.tables import attempts, notifications
from notify.store.transitions import transition


def raise_statuses(
    connection: Connection,
    changes: Sequence[RowTransition],
    *,
    now: datetime,
    announced_until: datetime | None = None,
) -> Mapping[UUID, int]:
    """
    Change the statuses of locked notifications, from one settled status to another.

    Args:
        announced_until: Until when the caller alone may publish the events; None: any relay may.

    Returns:
        By notification, the event that the caller may publish; none on SQLite.

    Raises:
        IllegalTransition: A change is not allowed.
    """
    if changes and connection.dialect.name == "postgresql":
        # The driver is loaded only where it is used.
        from notify.store.receipts import postgresql

        return postgresql.raise_statuses(connection, changes, now=now, until=announced_until)
    equal: dict[tuple[Status, Transition], list[UUID]] = {}
    for change in changes:
        equal.setdefault((change.before, change.to), []).append(change.id)
    for (before, to), ids in equal.items():
        transition(connection, notifications.c.id.in_(ids), to, among=[before], now=now)
    return {}


def keep_codes(connection: Connection, codes: Mapping[UUID, str]) -> None:
    """Write the vendor's codes into calls that have none; a code is never overwritten."""
    if codes:
        statement = update(attempts).where(attempts.c.id == bindparam("call"))
        kept = func.coalesce(attempts.c.code, bindparam("new_code"))
        values = [{"call": call, "new_code": code} for call, code in sorted(codes.items())]
        connection.execute(statement.values(code=kept), values)
