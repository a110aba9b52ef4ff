"""Taking up what is on record: for a call, to be put off again, or to end without a call."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, update

from notify.message import Status
from notify.store.delivery.claims import Entry
from notify.store.tables import attempts, events, notifications


def untried(row: Row[Any], entry: Entry) -> bool:
    """Tell whether the entry makes the row's first call."""
    return row.attempts == 0 and entry.status is Status.SENDING


_TAKE = (
    update(notifications)
    .where(notifications.c.id == bindparam("of_notification"))
    .values(
        status=bindparam("new_status"),
        reason=bindparam("new_reason"),
        attempts=bindparam("new_attempts"),
        fence=notifications.c.fence + 1,
        lease_until=bindparam("new_lease"),
        due_at=bindparam("new_due"),
        hold_id=bindparam("new_hold"),
        replayed_at=bindparam("new_begin"),
        relay_until=None,
        updated_at=bindparam("new_time"),
    )
)


def take(
    connection: Connection,
    taken: Sequence[tuple[Entry, Row[Any]]],
    *,
    now: datetime,
    until: datetime,
) -> None:
    """Do with rows that the caller has locked what their entries want."""
    if not taken:
        return
    changes, calls, ends = [], [], []
    for entry, row in taken:
        sending = entry.status is Status.SENDING
        change = {
            "of_notification": row.id,
            "new_status": entry.status,
            "new_reason": entry.reason,
            "new_attempts": row.attempts + sending,
            "new_lease": until if sending else None,
            "new_due": entry.due_at,
            "new_hold": entry.hold_id,
            # What was put off has not been tried: its lane's patience begins with its first call.
            "new_begin": now if untried(row, entry) else row.replayed_at,
            "new_time": now,
        }
        changes.append(change)
        if sending:
            call = {"id": entry.attempt_id, "notification_id": row.id, "provider": entry.provider}
            calls.append({**call, "number": row.attempts + 1, "started_at": now})
        else:
            end = {"notification_id": row.id, "at": now, "status": entry.status}
            ends.append({**end, "reason": entry.reason, "to_publish": entry.due_at is None})
    connection.execute(_TAKE, changes)
    if calls:
        connection.execute(insert(attempts), calls)
    if ends:
        connection.execute(insert(events), ends)
