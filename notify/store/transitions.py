"""
The functions that change a notification's status, as `status_rules` allows.

Every change goes through here, with its columns, its event and the totals, except the three hot
writes: the claims and outcomes of `delivery.postgresql` and `delivery.sqlite`, and on PostgreSQL
the raised statuses of `receipts.postgresql`, are statements of their own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Update, bindparam, insert, select, update

from notify.message import Identity, Status
from notify.store.db import upsert
from notify.store.status_rules import (
    LONGEST_REASON,
    OPEN,
    WAITING,
    IllegalTransition,
    RowTransition,
    Transition,
    require_allowed,
    unsettled,
)
from notify.store.tables import events, notifications
from notify.store.totals import Group, change_totals, settled


def transition(
    connection: Connection,
    rows: ColumnElement[bool],
    to: Transition,
    *,
    among: Collection[Status],
    now: datetime,
    **columns: Any,
) -> list[UUID]:
    """
    Change the status of all matching rows, and write an event for each.

    Due time, lease, relay's lease and hold are reset; *columns* are set besides.

    Args:
        rows: Which rows to change.
        among: Rows of other statuses stay as they are.

    Returns:
        The rows that were changed.

    Raises:
        IllegalTransition: `ALLOWED` has no way from one of *among*.
    """
    changed = _change(connection, rows, to, among=among, now=now, columns=columns)
    record_events(connection, changed, to, now=now)
    return changed


def transition_quietly(
    connection: Connection,
    rows: ColumnElement[bool],
    to: Transition,
    *,
    among: Collection[Status],
    now: datetime,
    **columns: Any,
) -> int:
    """
    Change rows as `transition` does, without an event; return how many were changed.

    For what is still waiting afterwards, and for a first step that the same transaction continues.
    """
    return len(_change(connection, rows, to, among=among, now=now, columns=columns))


def _change(
    connection: Connection,
    rows: ColumnElement[bool],
    to: Transition,
    *,
    among: Collection[Status],
    now: datetime,
    columns: dict[str, Any],
) -> list[UUID]:
    """Change the rows and the totals; return the ids of the rows."""
    changed: list[UUID] = []
    totals: Counter[Group] = Counter()
    # The database returns the new status only: each settled one gets a statement of its own.
    groups = [[status for status in among if status in OPEN]]
    groups += [[status] for status in among if status not in OPEN]
    for before in filter(None, groups):
        statement = _update(rows, to, among=before, now=now, columns=columns)
        found = connection.execute(statement.returning(*_COUNTED)).all()
        changed += [row.id for row in found]
        totals.update(settled(found, before[0], sign=-1))
        totals.update(settled(found, to.status))
    change_totals(connection, totals)
    return changed


_COUNTED = [notifications.c[name] for name in ("id", "channel", "lane", "received_at")]


def _update(
    rows: ColumnElement[bool],
    to: Transition,
    *,
    among: Collection[Status],
    now: datetime,
    columns: dict[str, Any],
) -> Update:
    for before in among:
        require_allowed(before, to.status)
    changed: dict[str, Any] = {
        "status": to.status,
        "reason": _cut(to.reason),
        "due_at": to.due_at,
        "relay_until": None,
        "lease_until": None,
        "hold_id": None,
        "unsettled": unsettled(to.status),
        "updated_at": now,
    }
    of_status = notifications.c.status.in_([str(each) for each in among])
    return update(notifications).where(rows, of_status).values(changed | columns)


def per_row(**columns: Any) -> Update:
    """Build a statement for `transition_each`, which sets *columns* besides."""
    changed: dict[str, Any] = {
        "status": bindparam("new_status"),
        "reason": bindparam("new_reason"),
        "due_at": bindparam("new_due_at"),
        "relay_until": None,
        "lease_until": None,
        "hold_id": None,
        "unsettled": bindparam("new_unsettled"),
        "updated_at": bindparam("now"),
    }
    of_row = notifications.c.id == bindparam("of_notification")
    return update(notifications).where(of_row).values(changed | columns)


def transition_each(
    connection: Connection, statement: Update, changes: Sequence[RowTransition], *, now: datetime
) -> None:
    """
    Change locked rows, each in its own way, and write their events.

    A change to `sending` has no event: the attempt records it.

    Args:
        statement: From `per_row`.

    Raises:
        IllegalTransition: `ALLOWED` lacks one of the changes.
    """
    if not changes:
        return
    for change in changes:
        require_allowed(change.before, change.to.status)
    connection.execute(statement, [_parameters(change, now=now) for change in changes])
    _count_each(connection, changes)
    _insert_events(
        connection,
        (
            _event(change.id, change.to, now=now)
            for change in changes
            if change.to.status is not Status.SENDING
        ),
    )


def _count_each(connection: Connection, changes: Sequence[RowTransition]) -> None:
    """Change the totals for rows that were settled, or are now."""
    counted = {
        change.id: change
        for change in changes
        if change.before not in OPEN or change.to.status not in OPEN
    }
    if not counted:
        return
    totals: Counter[Group] = Counter()
    query = select(*_COUNTED).where(notifications.c.id.in_(list(counted)))
    for row in connection.execute(query):
        change = counted[row.id]
        totals.update(settled([row], change.before, sign=-1))
        totals.update(settled([row], change.to.status))
    change_totals(connection, totals)


def _parameters(change: RowTransition, *, now: datetime) -> dict[str, Any]:
    return {
        "of_notification": change.id,
        "new_status": change.to.status,
        "new_reason": _cut(change.to.reason),
        "new_due_at": change.to.due_at,
        "new_unsettled": unsettled(change.to.status),
        "now": now,
        **change.values,
    }


def enter(
    connection: Connection, rows: Iterable[tuple[Status, Mapping[str, Any]]]
) -> set[Identity]:
    """
    Insert waiting notifications that no worker has claimed; no event is written.

    Args:
        rows: The status and the other columns of each.

    Returns:
        The source and row id of each that was inserted; the others' keys or ids are in use.

    Raises:
        IllegalTransition: A status is not one of `WAITING`.
    """
    values = [{"status": status, "unsettled": True, **columns} for status, columns in rows]
    if not values:
        return set()
    if any(each["status"] not in WAITING for each in values):
        raise IllegalTransition("a notification begins scheduled or queued")
    statement = upsert.insert(notifications, connection).on_conflict_do_nothing()
    columns = notifications.c
    done = connection.execute(statement.returning(columns.source, columns.id), values)
    return {(row.source, row.id) for row in done}


def record_events(
    connection: Connection, ids: Iterable[UUID], to: Transition, *, now: datetime
) -> None:
    """Write one event for each notification: its status, or a remark while that stays."""
    _insert_events(connection, (_event(each, to, now=now) for each in ids))


def _event(id_: UUID, to: Transition, *, now: datetime) -> dict[str, Any]:
    return {
        "notification_id": id_,
        "at": now,
        "status": to.status,
        "reason": _cut(to.reason),
        "to_publish": to.to_publish,
    }


def _insert_events(connection: Connection, rows: Iterable[dict[str, Any]]) -> None:
    values = list(rows)
    if values:
        connection.execute(insert(events), values)


def _cut(reason: str | None) -> str | None:
    return reason[:LONGEST_REASON] if reason is not None else None
