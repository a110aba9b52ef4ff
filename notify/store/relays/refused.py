"""Events about refused messages, which wait in the rows of their dead letters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, null, update

from notify.store.relays.leasing import lease_rows
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
    leased = lease_rows(
        dead_letters,
        columns.refused_event.is_not(None),
        until=columns.refused_until,
        first=columns.id,
        now=now,
        lease=lease,
        limit=limit,
    ).returning(columns.id, columns.refused_event)
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
