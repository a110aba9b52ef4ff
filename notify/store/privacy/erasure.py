"""Erasing a person: what is personal goes, what was counted stays."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    func,
    or_,
    select,
    update,
)

from notify.contract import Spellings, normal_form
from notify.message import Status
from notify.store.queries import ERASED, sent_to
from notify.store.sealing.row_cipher import cipher_of
from notify.store.tables import attempts, audit, events, notifications
from notify.store.transitions import WAITING, Transition, transition

REASON = "its recipient was erased"
"""Why what waited will never be sent."""

_AT_ONCE = 500


@dataclass(frozen=True)
class Person(Spellings):
    """
    Whose data are erased.

    Attributes:
        recipient: The address, the number or the token, in any spelling.
    """

    def erased(self, text: str) -> str:
        """Return a text without it."""
        return self.replaced_in(text, ERASED)


def find_notifications(connection: Connection, person: Person) -> list[UUID]:
    """Find the notifications to a person of which something is left, in the order of their ids."""
    columns = notifications.c
    # Rows without a hash are of an older version, and in clear; no index helps there.
    unhashed = func.lower(columns.recipient) == normal_form(person.recipient).lower()
    theirs = or_(
        sent_to(person.recipient, cipher_of(connection)),
        and_(columns.recipient_hash.is_(None), columns.erased_at.is_(None), unhashed),
    )
    return list(connection.execute(select(columns.id).where(theirs).order_by(columns.id)).scalars())


def count_statuses(connection: Connection, ids: Sequence[UUID]) -> Counter[Status]:
    """Count notifications by their status."""
    columns = notifications.c
    query = select(columns.status).where(columns.id.in_(ids))
    return Counter(Status(row.status) for row in connection.execute(query))


def count_waiting(connection: Connection, ids: Sequence[UUID]) -> int:
    """Count those that wait to be sent, or to be looked up."""
    query = select(func.count()).select_from(notifications)
    return connection.execute(query.where(notifications.c.id.in_(ids), _waits())).scalar_one()


def _waits() -> ColumnElement[bool]:
    columns = notifications.c
    looked_up = and_(columns.status == Status.UNKNOWN, columns.due_at.is_not(None))
    return or_(columns.status.in_([str(each) for each in WAITING]), looked_up)


def end_waiting(connection: Connection, ids: Sequence[UUID], *, now: datetime) -> int:
    """
    Let nothing of these wait any more; tells of how many that was so.

    What waits to be sent is cancelled, and its producer hears of it. What waits to be looked up
    stays unknown: nobody can ask for it without the address.
    """
    chosen = notifications.c.id.in_(ids)
    end = Transition(Status.CANCELLED, REASON)
    cancelled = transition(connection, chosen, end, among=WAITING, now=now)
    looked_up = and_(chosen, notifications.c.due_at.is_not(None))
    park = Transition(Status.UNKNOWN, REASON)
    parked = transition(connection, looked_up, park, among=[Status.UNKNOWN], now=now)
    return len(cancelled) + len(parked)


def erase_notifications(
    connection: Connection, person: Person, ids: Sequence[UUID], *, now: datetime
) -> list[UUID]:
    """
    Erase what is personal in notifications that have ended, and in what belongs to them.

    Returns:
        Those that were erased; the others are with a worker, or wait.
    """
    columns = notifications.c
    ended = columns.status.in_([str(each) for each in Status if each.final])
    query = select(columns.id, columns.key_id, columns.digest, columns.idempotency_key)
    query = query.where(columns.id.in_(ids), ended, columns.due_at.is_(None))
    rows = connection.execute(query.order_by(columns.id).with_for_update()).all()
    for row in rows:
        change = update(notifications).where(columns.id == row.id)
        connection.execute(change.values(_nothing_left(connection, person, row, now=now)))
    done = [row.id for row in rows]
    for table in (attempts, events):
        _clean_reasons(connection, table.c.notification_id.in_(done), table, person)
    _clean_reasons(connection, columns.id.in_(done), notifications, person)
    return done


def _nothing_left(
    connection: Connection, person: Person, row: Row[Any], *, now: datetime
) -> dict[str, Any]:
    """
    Give what the row keeps: enough to know the same request again, should a copy come.

    The digest stays for that; with a keyring nobody can guess by it what was asked.
    """
    values = {"recipient": "", "recipient_hash": None, "body": b"", "erased_at": now}
    cipher = cipher_of(connection)
    if row.key_id is None and cipher.keyring.current is not None:
        values |= {"digest": cipher.digest(row.digest), "key_id": cipher.keyring.current}
    if person.is_part_of(row.idempotency_key):
        values["idempotency_key"] = f"erased:{row.id}"
    return values


def _clean_reasons(
    connection: Connection, rows: ColumnElement[bool], table: Any, person: Person
) -> None:
    """Take a person out of words that ought not to have told of him."""
    query = select(table.c.id, table.c.reason).where(rows, table.c.reason.is_not(None))
    for row in connection.execute(query).all():
        if person.is_in(row.reason):
            change = update(table).where(table.c.id == row.id)
            connection.execute(change.values(reason=person.erased(row.reason)))


def find_audit(connection: Connection, person: Person) -> list[int]:
    """Find what operators wrote of a person. Every row is read: no index knows all spellings."""
    columns = audit.c
    query = select(columns.id, columns.reason, columns.details).order_by(columns.id)
    return [
        row.id
        for row in connection.execute(query.execution_options(yield_per=_AT_ONCE))
        if person.is_in(row.reason) or person.is_in(_written(row.details))
    ]


def _written(details: Any) -> str:
    return json.dumps(details, ensure_ascii=False)


def erase_audit(connection: Connection, person: Person, ids: Collection[int]) -> None:
    """Take a person out of what operators wrote; that they acted stays."""
    columns = audit.c
    for row in connection.execute(select(audit).where(columns.id.in_(ids))).all():
        details = json.loads(person.erased(_written(row.details)))
        clean = {"reason": person.erased(row.reason), "details": details}
        connection.execute(update(audit).where(columns.id == row.id).values(clean))


def batches(ids: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Cut a list into small transactions."""
    return (ids[start : start + size] for start in range(0, len(ids), size))
