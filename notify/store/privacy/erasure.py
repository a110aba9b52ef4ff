"""Erasing a recipient: personal data is removed, statuses and counts stay."""

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
from notify.store.apikeys import forget_requests
from notify.store.queries import ERASED, sent_to
from notify.store.sealing.row_cipher import cipher_of
from notify.store.shared_bodies import delete_unused
from notify.store.status_rules import WAITING, Transition
from notify.store.tables import attempts, audit, events, notifications, plans, receipts
from notify.store.transitions import transition

REASON = "its recipient was erased"
"""The reason of notifications that an erasure cancels or parks."""

_AT_ONCE = 500


@dataclass(frozen=True)
class Person(Spellings):
    """
    The person whose data are erased.

    Attributes:
        recipient: The address, the number or the token, in any spelling.
    """

    def erased(self, text: str) -> str:
        """Return a text with the recipient replaced."""
        return self.replaced_in(text, ERASED)


def find_notifications(connection: Connection, person: Person) -> list[UUID]:
    """Return the notifications to a person that are not erased, in the order of their ids."""
    columns = notifications.c
    # Rows without a hash are of an older version, and in clear; no index covers them.
    unhashed = func.lower(columns.recipient) == normal_form(person.recipient).lower()
    matching = or_(
        sent_to(person.recipient, cipher_of(connection)),
        and_(columns.recipient_hash.is_(None), columns.erased_at.is_(None), unhashed),
    )
    return list(
        connection.execute(select(columns.id).where(matching).order_by(columns.id)).scalars()
    )


def count_statuses(connection: Connection, ids: Sequence[UUID]) -> Counter[Status]:
    """Count notifications by their status."""
    columns = notifications.c
    query = select(columns.status).where(columns.id.in_(ids))
    return Counter(Status(row.status) for row in connection.execute(query))


def count_waiting(connection: Connection, ids: Sequence[UUID]) -> int:
    """Count the notifications that wait to be sent or looked up."""
    query = select(func.count()).select_from(notifications)
    return connection.execute(query.where(notifications.c.id.in_(ids), _waits())).scalar_one()


def _waits() -> ColumnElement[bool]:
    columns = notifications.c
    looked_up = and_(columns.status == Status.UNKNOWN, columns.due_at.is_not(None))
    return or_(columns.status.in_([str(each) for each in WAITING]), looked_up)


def end_waiting(connection: Connection, ids: Sequence[UUID], *, now: datetime) -> int:
    """
    End the waits of notifications, and return how many waited.

    Those that wait to be sent are cancelled, and their producers get an event. Those that wait to
    be looked up stay unknown: without the address, the provider cannot be asked.
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
    Erase the personal data of notifications that have ended, and of their calls and events.

    Returns:
        The erased ones; the others are with a worker, or wait.
    """
    columns = notifications.c
    ended = columns.status.in_([str(each) for each in Status if each.final])
    query = select(
        *(columns.id, columns.key_id, columns.digest, columns.shared_id),
        *(columns.source, columns.idempotency_key),
    )
    query = query.where(columns.id.in_(ids), ended, columns.due_at.is_(None))
    rows = connection.execute(query.order_by(columns.id).with_for_update()).all()
    for row in rows:
        change = update(notifications).where(columns.id == row.id)
        connection.execute(change.values(_erased_values(connection, person, row, now=now)))
    done = [row.id for row in rows]
    forget_requests(connection, {(row.source, row.idempotency_key) for row in rows})
    delete_unused(connection, [row.shared_id for row in rows])
    for table in (attempts, events, receipts):
        _redact_reasons(connection, table.c.notification_id.in_(done), table, person)
    _redact_reasons(connection, columns.id.in_(done), notifications, person)
    return done


def _erased_values(
    connection: Connection, person: Person, row: Row[Any], *, now: datetime
) -> dict[str, Any]:
    """
    Return the erased row's columns.

    The digest stays, so that a copy of the request is recognized. With a keyring, it confirms no
    guess of the content.
    """
    values: dict[str, Any] = {"recipient": "", "recipient_hash": None, "body": b""}
    values |= {"shared_id": None, "erased_at": now}
    cipher = cipher_of(connection)
    if row.key_id is None and cipher.keyring.current is not None:
        values |= {"digest": cipher.digest(row.digest), "key_id": cipher.keyring.current}
    if person.is_part_of(row.idempotency_key):
        values["idempotency_key"] = f"erased:{row.id}"
    return values


def _redact_reasons(
    connection: Connection, rows: ColumnElement[bool], table: Any, person: Person
) -> None:
    """Redact a recipient from free-text reasons."""
    query = select(table.c.id, table.c.reason).where(rows, table.c.reason.is_not(None))
    for row in connection.execute(query).all():
        if person.is_in(row.reason):
            change = update(table).where(table.c.id == row.id)
            connection.execute(change.values(reason=person.erased(row.reason)))


def erase_receipts(connection: Connection, person: Person) -> None:
    """
    Remove the hash of a person from receipts, those without a notification included.

    It reads all receipts: an index would cost every receipt a write. The suppression list keeps
    its own hash, so that the person is not written to again.
    """
    columns = receipts.c
    hashes = cipher_of(connection).hashes(person.recipient)
    change = update(receipts).where(columns.recipient_hash.in_(hashes))
    connection.execute(change.values(recipient_hash=None))


def find_audit(connection: Connection, person: Person) -> list[int]:
    """Return the audit rows that name a person; reads all rows, as no index has all spellings."""
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
    """Redact a person from audit rows; the acts stay."""
    columns = audit.c
    for row in connection.execute(select(audit).where(columns.id.in_(ids))).all():
        details = json.loads(person.erased(_written(row.details)))
        clean = {"reason": person.erased(row.reason), "details": details}
        connection.execute(update(audit).where(columns.id == row.id).values(clean))


def erase_plans(connection: Connection, person: Person) -> None:
    """Redact a person from the reasons and filters of plans; it reads all, which are few."""
    columns = plans.c
    for row in connection.execute(select(columns.id, columns.reason, columns.filter)).all():
        if person.is_in(row.reason) or person.is_in(_written(row.filter)):
            clean = {
                "reason": person.erased(row.reason),
                "filter": json.loads(person.erased(_written(row.filter))),
            }
            connection.execute(update(plans).where(columns.id == row.id).values(clean))


def batches(ids: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Split a list into batches, one for each transaction."""
    return (ids[start : start + size] for start in range(0, len(ids), size))
