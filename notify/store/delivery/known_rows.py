"""Claiming rows on record: for a call, to be deferred again, or to end without a call."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert

from notify.message import Status
from notify.store.delivery.claims import Entry
from notify.store.status_rules import RowTransition, Transition
from notify.store.tables import attempts, notifications
from notify.store.transitions import per_row, transition_each


def untried(row: Row[Any], entry: Entry) -> bool:
    """Return whether the entry makes the row's first call."""
    return row.attempts == 0 and entry.status is Status.SENDING


_CLAIM = per_row(
    attempts=bindparam("new_attempts"),
    fence=notifications.c.fence + 1,
    lease_until=bindparam("new_lease"),
    hold_id=bindparam("new_hold"),
    replayed_at=bindparam("new_begin"),
)


def claim_rows(
    connection: Connection,
    claimed: Sequence[tuple[Entry, Row[Any]]],
    *,
    now: datetime,
    until: datetime,
) -> None:
    """Change rows that the caller has locked as their entries say, and open the calls."""
    if not claimed:
        return
    changes = [_change(entry, row, now=now, until=until) for entry, row in claimed]
    transition_each(connection, _CLAIM, changes, now=now)
    calls = [
        {
            "id": entry.attempt_id,
            "notification_id": row.id,
            "provider": entry.provider,
            "number": row.attempts + 1,
            "started_at": now,
        }
        for entry, row in claimed
        if entry.status is Status.SENDING
    ]
    if calls:
        connection.execute(insert(attempts), calls)


def _change(entry: Entry, row: Row[Any], *, now: datetime, until: datetime) -> RowTransition:
    sending = entry.status is Status.SENDING
    values = {
        "new_attempts": row.attempts + sending,
        "new_lease": until if sending else None,
        "new_hold": entry.hold_id,
        # A deferred one has not been tried: its lane's deadline counts from its first call.
        "new_begin": now if untried(row, entry) else row.replayed_at,
    }
    to = Transition(entry.status, entry.reason, entry.due_at)
    return RowTransition(row.id, Status(row.status), to, values)
