"""Retention: old rows are deleted in small batches, with everything that belongs to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Table,
    and_,
    delete,
    false,
    func,
    or_,
    select,
    tuple_,
)

from notify.message import Identity, Status
from notify.store.deadletters.archive import LetterState
from notify.store.ids import PUBLIC_ID
from notify.store.privacy.old_hours import RetentionCutoff, next_hours
from notify.store.shared_bodies import delete_unused
from notify.store.tables import (
    attempts,
    audit,
    cap_uses,
    dead_letters,
    events,
    notifications,
    receipts,
)
from notify.store.totals import Group, change_totals, settled

_ENDS = [str(each) for each in Status if each.final and each is not Status.UNKNOWN]


@dataclass(frozen=True, slots=True)
class Deleted:
    """How many rows were deleted."""

    notifications: int = 0
    attempts: int = 0
    events: int = 0
    letters: int = 0
    unsettled: int = 0
    """The letters that no operator had replayed or discarded."""
    audit: int = 0
    receipts: int = 0

    def __add__(self, other: Deleted) -> Deleted:
        """Return the sum of two counts."""
        return Deleted(*(a + b for a, b in zip(self.numbers, other.numbers, strict=True)))

    @property
    def numbers(self) -> tuple[int, ...]:
        """All counts, in the order of the fields."""
        return (
            *(self.notifications, self.attempts, self.events),
            *(self.letters, self.unsettled, self.audit, self.receipts),
        )


def wipe_deleted(connection: Connection) -> None:
    """Make SQLite overwrite what this connection deletes; PostgreSQL vacuums by itself."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete = ON")


def delete_ended(
    connection: Connection, old: RetentionCutoff, *, after: datetime | None, limit: int
) -> tuple[Deleted, datetime | None]:
    """
    Delete the next old notifications, oldest first, with everything that belongs to them.

    A notification stays if it has not ended, has an unpublished event, or has a waiting dead
    letter: the record decides whether that may be replayed. Only hours in which the kept totals
    have notifications of the lanes are read: a lane that is kept for longer costs nothing.

    Args:
        after: The earliest time of receipt to look at; None for the first batch.

    Returns:
        What was deleted, and where to continue; None if nothing is left.
    """
    columns = notifications.c
    span = next_hours(connection, old, after=after, limit=limit)
    if span is None:
        return _delete_parked(connection, old, after=after or old.latest, limit=limit)
    received = columns.received_at >= span[0], columns.received_at < span[1]
    rows = _lock(connection, _is_old(old), *received, limit=limit)
    deleted = _delete_rows(connection, rows)
    return deleted, rows[-1].received_at if len(rows) == limit else span[1]


def _delete_parked(
    connection: Connection, old: RetentionCutoff, *, after: datetime, limit: int
) -> tuple[Deleted, datetime | None]:
    """Delete the next old notifications whose outcome is unknown, which no total counts."""
    parked = notifications.c.unsettled.is_(True), notifications.c.status == Status.UNKNOWN
    rows = _lock(connection, _is_old(old), *parked, limit=limit)
    delete_unused(connection, older=old.ended)
    return _delete_rows(connection, rows), after if len(rows) == limit else None


def _lock(connection: Connection, *which: ColumnElement[bool], limit: int) -> Sequence[Row[Any]]:
    query = select(*_DELETED, PUBLIC_ID.label("public_id")).where(*which)
    query = query.order_by(notifications.c.received_at).limit(limit)
    return connection.execute(query.with_for_update(skip_locked=True, of=notifications)).all()


def _delete_rows(connection: Connection, rows: Sequence[Row[Any]]) -> Deleted:
    ids = [row.id for row in rows]
    deleted = Deleted(
        attempts=_delete(connection, attempts, attempts.c.notification_id, ids),
        events=_delete(connection, events, events.c.notification_id, ids),
        receipts=_delete(connection, receipts, receipts.c.notification_id, ids),
        letters=_delete_settled(connection, [(row.source, row.public_id) for row in rows]),
        notifications=_delete(connection, notifications, notifications.c.id, ids),
    )
    _delete(connection, cap_uses, cap_uses.c.notification_id, ids)
    delete_unused(connection, [row.shared_id for row in rows])
    gone: Counter[Group] = Counter()
    for row in rows:
        gone.update(settled([row], row.status, sign=-1))
    change_totals(connection, gone)
    return deleted


_DELETED = [
    notifications.c[name]
    for name in ("id", "source", "channel", "lane", "status", "received_at", "shared_id")
]


def count_ended(connection: Connection, old: RetentionCutoff) -> int:
    """Count the notifications that `delete_ended` would delete."""
    query = select(func.count()).select_from(notifications).where(_is_old(old))
    return connection.execute(query).scalar_one()


def _is_old(old: RetentionCutoff) -> ColumnElement[bool]:
    columns = notifications.c
    ended = and_(columns.status.in_(_ENDS), columns.updated_at <= old.ended)
    parked = and_(columns.status == Status.UNKNOWN, columns.updated_at <= old.waiting)
    return and_(
        old.within(columns.lane),
        # For the index: whatever ended before then was received before then.
        columns.received_at <= old.latest,
        or_(ended, parked),
        columns.due_at.is_(None),
        *_unreferenced(),
    )


def _unreferenced() -> Iterator[ColumnElement[bool]]:
    columns = notifications.c
    yield ~(
        select(events.c.id)
        .where(events.c.notification_id == columns.id, events.c.to_publish.is_(True))
        .exists()
    )
    for asked_for in (PUBLIC_ID, columns.batch_id):
        letter = select(dead_letters.c.id).where(
            dead_letters.c.notification_id == asked_for,
            # A letter of another source, or of none, may name any id.
            dead_letters.c.source == columns.source,
            dead_letters.c.state == LetterState.WAITING,
        )
        yield ~letter.exists()


def _delete(
    connection: Connection, table: Table, column: ColumnElement[Any], ids: Sequence[UUID | int]
) -> int:
    return connection.execute(delete(table).where(column.in_(ids))).rowcount


def _delete_settled(connection: Connection, identities: Sequence[Identity]) -> int:
    """Delete their settled letters; one that was archived in the meantime stays."""
    columns = dead_letters.c
    statement = delete(dead_letters).where(
        tuple_(columns.source, columns.notification_id).in_(identities),
        columns.state != LetterState.WAITING,
    )
    return connection.execute(statement).rowcount


def delete_letters(connection: Connection, old: RetentionCutoff, *, limit: int) -> Deleted:
    """Delete the next old dead letters: settled, or waiting for too long."""
    columns = dead_letters.c
    query = select(columns.id, columns.state).where(_is_old_letter(old))
    query = query.order_by(columns.archived_at).limit(limit).with_for_update(skip_locked=True)
    rows = connection.execute(query).all()
    unsettled = sum(row.state == LetterState.WAITING for row in rows)
    letters = _delete(connection, dead_letters, columns.id, [row.id for row in rows])
    return Deleted(letters=letters, unsettled=unsettled)


def count_letters(connection: Connection, old: RetentionCutoff) -> int:
    """Count the dead letters that `delete_letters` would delete."""
    query = select(func.count()).select_from(dead_letters).where(_is_old_letter(old))
    return connection.execute(query).scalar_one()


def _is_old_letter(old: RetentionCutoff) -> ColumnElement[bool]:
    columns = dead_letters.c
    waits = columns.state == LetterState.WAITING
    # One whose replay is not yet sent stays, whatever its age.
    sending = func.coalesce(columns.replay_until > old.ended, false())
    return and_(
        old.within(columns.lane),
        columns.archived_at <= old.latest,
        or_(
            and_(waits, columns.state_at <= old.waiting),
            and_(~waits, columns.state_at <= old.ended, ~sending),
        ),
    )


def delete_audit(connection: Connection, *, before: datetime, limit: int) -> Deleted:
    """Delete the next audit rows of before then."""
    columns = audit.c
    query = select(columns.id).where(columns.at <= before).order_by(columns.id).limit(limit)
    ids: list[int] = list(connection.execute(query).scalars())
    return Deleted(audit=_delete(connection, audit, columns.id, ids))


def delete_receipts(connection: Connection, *, before: datetime, limit: int) -> Deleted:
    """Delete the next receipts of before then that match no notification."""
    columns = receipts.c
    query = select(columns.id).where(
        columns.received_at <= before,
        columns.notification_id.is_(None),
        columns.waits_until.is_(None),
    )
    query = query.order_by(columns.received_at).limit(limit).with_for_update(skip_locked=True)
    ids: list[int] = list(connection.execute(query).scalars())
    return Deleted(receipts=_delete(connection, receipts, columns.id, ids))
