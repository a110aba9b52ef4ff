"""Events about refused messages that wait to be published, beside their dead letters."""

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
    """One letter's event."""

    letter: int
    event: Mapping[str, Any]


def lease_refused(
    connection: Connection, *, now: datetime, hold: timedelta, limit: int
) -> list[PendingRefusal]:
    """Take the oldest that wait, and hold them against other processes for a while."""
    columns = dead_letters.c
    chosen = (
        select(columns.id)
        .where(columns.refused_event.is_not(None))
        .where(unleased(columns.refused_until, now=now, hold=hold))
        .order_by(columns.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    taken = (
        update(dead_letters)
        .where(columns.id.in_(chosen.scalar_subquery()))
        .values(refused_until=now + hold)
        .returning(columns.id, columns.refused_event)
    )
    found = [PendingRefusal(row.id, row.refused_event) for row in connection.execute(taken)]
    return sorted(found, key=lambda each: each.letter)


def mark_refused_published(connection: Connection, waiting: Iterable[PendingRefusal]) -> None:
    """Note that the broker has these."""
    _write(connection, waiting, refused_event=null(), refused_until=None)


def release_refused(connection: Connection, waiting: Iterable[PendingRefusal]) -> None:
    """Give back those that the broker did not take."""
    _write(connection, waiting, refused_until=None)


def _write(connection: Connection, waiting: Iterable[PendingRefusal], **values: Any) -> None:
    ids = [each.letter for each in waiting]
    if ids:
        columns = dead_letters.c
        connection.execute(update(dead_letters).where(columns.id.in_(ids)).values(values))
