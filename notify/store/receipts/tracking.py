"""
Sent messages without a receipt, found by the events of their statuses.

Events have ascending ids, so a cursor reads each of them once for each age, and sending writes no
column and no index for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, func, select, update

from notify.message import Outcome, Status
from notify.store.db import upsert
from notify.store.relays.leasing import lease_rows
from notify.store.tables import attempts, events, notifications, receipt_lookups

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class LookupCursor:
    """
    How far the look-ups of one provider are, for messages of one age.

    Attributes:
        step: Which of the ages.
        event_id: The last event that was read.
    """

    id: int
    provider: str
    step: int
    event_id: int


@dataclass(frozen=True, slots=True)
class UnreportedCall:
    """An accepted call whose notification no receipt has changed."""

    event_id: int
    """The event of its status."""
    notification_id: UUID
    attempt_id: UUID
    provider_id: str


def lease_cursor(
    connection: Connection, provider: str, *, steps: int, now: datetime, lease: timedelta
) -> LookupCursor | None:
    """
    Lease one of a provider's cursors; None if other processes have them all.

    New cursors begin at the newest event: only what is sent from then on is looked up.
    """
    columns = receipt_lookups.c
    newest = select(func.coalesce(func.max(events.c.id), 0)).scalar_subquery()
    known = select(columns.step).where(columns.provider == provider)
    missing = set(range(steps)) - set(connection.execute(known).scalars())
    for step in sorted(missing):
        new = upsert.insert(receipt_lookups, connection).on_conflict_do_nothing()
        connection.execute(
            new.values(provider=provider, step=step, event_id=newest, updated_at=now)
        )
    leased = lease_rows(
        receipt_lookups,
        columns.provider == provider,
        columns.step < steps,
        until=columns.leased_until,
        first=columns.updated_at,
        now=now,
        lease=lease,
        limit=1,
    ).returning(columns.id, columns.step, columns.event_id)
    row = connection.execute(leased).one_or_none()
    return LookupCursor(row.id, provider, row.step, row.event_id) if row else None


def move_cursor(
    connection: Connection, cursor: LookupCursor, *, event_id: int, now: datetime, free: bool
) -> None:
    """
    Write how far a cursor is.

    Args:
        free: Whether to end its lease; otherwise no process uses it until that is over.
    """
    columns = receipt_lookups.c
    values: dict[str, object] = {"event_id": event_id, "updated_at": now}
    if free:
        values["leased_until"] = None
    connection.execute(update(receipt_lookups).where(columns.id == cursor.id).values(values))


def read_unreported(
    connection: Connection, cursor: LookupCursor, *, before: datetime
) -> tuple[Sequence[UnreportedCall], int]:
    """
    Return the next calls without a receipt that were sent before then, and how far this read.

    One read is bounded, whatever the number of events.
    """
    query = select(events.c.id, events.c.at, events.c.status, events.c.notification_id)
    query = query.where(events.c.id > cursor.event_id).order_by(events.c.id).limit(_CHUNK)
    old = []
    for row in connection.execute(query):
        if row.at > before:
            break
        old.append(row)
    if not old:
        return (), cursor.event_id
    sent = {row.notification_id: row.id for row in old if row.status == Status.SENT}
    return _calls(connection, cursor.provider, sent), old[-1].id


def _calls(connection: Connection, provider: str, sent: dict[UUID, int]) -> list[UnreportedCall]:
    if not sent:
        return []
    calls = attempts.c
    query = (
        select(calls.id, calls.notification_id, calls.provider_id)
        .join(notifications, notifications.c.id == calls.notification_id)
        .where(
            calls.notification_id.in_(sent),
            notifications.c.status == Status.SENT,
            calls.outcome == Outcome.ACCEPTED,
            calls.provider == provider,
            calls.provider_id.is_not(None),
        )
    )
    found = [
        UnreportedCall(sent[row.notification_id], row.notification_id, row.id, row.provider_id)
        for row in connection.execute(query)
    ]
    return sorted(found, key=lambda each: each.event_id)
