"""Events about refused messages, which wait in the rows of their dead letters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, null, select, update

from notify.store.set_back import unleased
from notify.store.tables import dead_letters


@dataclass(frozen=True, slots=True)
class PendingRefusal:
    """The event about one letter."""

    letter: int
    event: Mapping[str, Any]


def lease_refused(
    connection: Connection, *, now: datetime, lease: timedelta, limit: int
) -> list[PendingRefusal]:
    """Lease the oldest unpublished events about refused messages, and return them in order."""
    columns = dead_letters.c
    chosen = (
        select(columns.id)
        .where(columns.refused_event.is_not(None))
        .where(unleased(columns.refused_until, now=now, lease=lease))
        .order_by(columns.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        # Run once: PostgreSQL may repeat a subquery, and lock more rows than the limit.
        .cte("chosen")
    )
    leased = (
        update(dead_letters)
        .where(columns.id.in_(select(chosen.c.id)))
        .values(refused_until=now + lease)
        .returning(columns.id, columns.refused_event)
    )
    found = [PendingRefusal(row.id, row.refused_event) for row in connection.execute(leased)]
    return sorted(found, key=lambda each: each.letter)


def mark_refused_published(connection: Connection, pending: Iterable[PendingRefusal]) -> None:
    """Remove events from their letters: the broker confirmed them."""
    _write(connection, pending, refused_event=null(), refused_until=None)


def release_refused(connection: Connection, pending: Iterable[PendingRefusal]) -> None:
    """End the leases of events that the broker did not confirm."""
    _write(connection, pending, refused_until=None)


def _write(connection: Connection, pending: Iterable[PendingRefusal], **values: Any) -> None:
    ids = [each.letter for each in pending]
    if ids:
        columns = dead_letters.c
        connection.execute(update(dead_letters).where(columns.id.in_(ids)).values(values))
