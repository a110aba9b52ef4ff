"""Claims of notifications that are on record already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection, Row, func, select, tuple_

from notify.errors import Sealed
from notify.message import Identity, Notification, Outcome, Status
from notify.store.delivery.claims import Claim, Claimed, Entry
from notify.store.delivery.known_rows import claim_rows, untried
from notify.store.ids import known_as
from notify.store.reconcile.outcomes import NOT_RESENT, change_status
from notify.store.sealing.row_cipher import RowCipher, cipher_of
from notify.store.set_back import correct_leases
from notify.store.status_rules import WAITING, Transition
from notify.store.tables import attempts, notifications

log = structlog.get_logger("notify.store")

SENT_BEFORE = Transition(Status.SENT, "an earlier call had sent it")


def claim_known(
    connection: Connection,
    known: Sequence[Entry],
    suppressed: Mapping[Identity, str],
    *,
    now: datetime,
    lease: timedelta,
) -> dict[Identity, Claimed]:
    """
    Claim those that are due, in the caller's transaction; return the answer for each.

    Args:
        suppressed: Those that end instead of their calls, and why.
    """
    rows = _find(connection, [entry.notification for entry in known])
    calls = _open_calls(connection, rows.values())
    sent = _known_sent(connection, rows.values())
    same = _same(cipher_of(connection), known, rows)
    without_row = [entry.notification for entry in known if entry.notification.key not in rows]
    owners = _owners(connection, without_row)
    answers, due = {}, []
    for entry in known:
        asked = entry.notification
        row = rows.get(asked.key)
        if row is None:
            answers[asked.identity] = _by_id(asked, owners)
            continue
        is_same = same.get(asked.identity)
        answer = _answer(entry, row, calls, is_same=is_same, now=now, lease=lease)
        if is_same and _due(row, entry, now=now):
            if row.id in sent:
                change_status(connection, row.id, SENT_BEFORE, among=NOT_RESENT, now=now)
                answer = Claimed(Claim.DUPLICATE)
            elif asked.identity in suppressed:
                why = suppressed[asked.identity]
                due.append((entry.suppressed(why), row))
                answer = replace(answer, suppressed=why)
            else:
                due.append((entry, row))
        answers[asked.identity] = answer if row.id == asked.id else replace(answer, id=row.id)
    correct_leases(connection, rows.values(), now=now, lease=lease)
    claim_rows(connection, due, now=now, until=now + lease)
    return answers


_Key = tuple[str, str, int]


def _find(connection: Connection, wanted: Sequence[Notification]) -> dict[_Key, Row[Any]]:
    """Return the rows with the same keys, locked until the transaction ends."""
    columns = notifications.c
    key = (columns.source, columns.idempotency_key, columns.position)
    query = (
        select(
            columns.id,
            *key,
            columns.digest,
            columns.key_id,
            columns.status,
            columns.lease_until,
            columns.due_at,
            columns.relay_until,
            columns.attempts,
            columns.spent,
            columns.fence,
            columns.replayed_at,
            # The lane's deadline counts from here.
            func.coalesce(columns.replayed_at, columns.received_at).label("received_at"),
        )
        .where(tuple_(*key).in_([notification.key for notification in wanted]))
        .order_by(columns.id)
        .with_for_update()
    )
    return {
        (row.source, row.idempotency_key, row.position): row for row in connection.execute(query)
    }


def _owners(connection: Connection, asked: Sequence[Notification]) -> dict[UUID, set[str]]:
    """Return the sources that use these ids, as row ids or as producers' ids."""
    if not asked:
        return {}
    ids = {each for one in asked for each in (one.id, one.public_id) if each is not None}
    columns = notifications.c
    query = select(columns.id, columns.public_id, columns.source)
    found: dict[UUID, set[str]] = {}
    for row in connection.execute(query.where(known_as(ids))):
        for id_ in (row.id, row.public_id):
            found.setdefault(id_, set()).add(row.source)
    return found


def _by_id(asked: Notification, owners: Mapping[UUID, set[str]]) -> Claimed:
    """Return the answer for one without a row of its key: another notification has its id."""
    if asked.source in owners.get(asked.public_id or asked.id, ()):
        return Claimed(Claim.CONFLICT)
    if asked.id in owners:
        return Claimed(Claim.CONFLICT, id_in_use=True)
    # The conflicting row was deleted in the meantime: at the next try it is new.
    return Claimed(Claim.BUSY)


def _same(
    cipher: RowCipher, known: Sequence[Entry], rows: Mapping[_Key, Row[Any]]
) -> dict[Identity, bool | None]:
    """Return whether each row is of the same request; None if its digest cannot be compared."""
    found: dict[Identity, bool | None] = {}
    for entry in known:
        asked = entry.notification
        row = rows.get(asked.key)
        if row is None:
            continue
        try:
            found[asked.identity] = cipher.is_same(row.key_id, row.digest, asked.digest)
        except Sealed as error:
            log.error("notify.sealed", sealed_with=error.key, count=1, id=str(row.id))
            found[asked.identity] = None
    return found


def _open_calls(connection: Connection, rows: Iterable[Row[Any]]) -> dict[UUID, UUID]:
    """Return the calls in flight, by notification."""
    sending = [row.id for row in rows if row.status == Status.SENDING]
    if not sending:
        return {}
    query = select(attempts.c.notification_id, attempts.c.id).where(
        attempts.c.notification_id.in_(sending), attempts.c.outcome.is_(None)
    )
    return {row.notification_id: row.id for row in connection.execute(query)}


def _known_sent(connection: Connection, rows: Iterable[Row[Any]]) -> set[UUID]:
    """
    Return those that wait for another call although an earlier one is known to have sent them.

    That outcome was found while the call between the two was in flight, which was then not sent.
    """
    waiting = [row.id for row in rows if _waits(row) and row.attempts]
    if not waiting:
        return set()
    query = select(attempts.c.notification_id).where(
        attempts.c.notification_id.in_(waiting), attempts.c.outcome == Outcome.ACCEPTED
    )
    return set(connection.execute(query).scalars())


def _waits(row: Row[Any]) -> bool:
    """Return whether no worker owns it and it has not ended."""
    return row.status in WAITING


def _published(row: Row[Any]) -> bool:
    """
    Return whether a waiting row is with the broker, or a relay is about to publish it.

    It is due then by the relay's clock. This machine's clock may be behind, and to treat this
    message as a duplicate of a later one would lose it.
    """
    return row.due_at is None or row.relay_until is not None


def _due(row: Row[Any], entry: Entry, *, now: datetime) -> bool:
    """Return whether the entry may claim the row: it waits for this message, or is due."""
    return (
        _waits(row)
        and (_published(row) or row.due_at <= now)
        and entry.status is not Status.SCHEDULED
    )


def _answer(
    entry: Entry,
    row: Row[Any],
    calls: Mapping[UUID, UUID],
    *,
    is_same: bool | None,
    now: datetime,
    lease: timedelta,
) -> Claimed:
    if is_same is False:
        return Claimed(Claim.CONFLICT)
    if is_same is None:
        # A worker with another keyring may be able to compare.
        return Claimed(Claim.BUSY, wait=lease / 2)
    if _due(row, entry, now=now):
        begun = None if untried(row, entry) else row.received_at
        return Claimed(Claim.OWNED, row.fence + 1, row.spent, begun, waited_since=row.received_at)
    if _waits(row) and _published(row):
        # A relay whose clock is ahead published a scheduled one: busy until this clock agrees.
        return Claimed(Claim.BUSY)
    if row.status != Status.SENDING:
        return Claimed(Claim.DEAD if _died(row) else Claim.DUPLICATE)
    call = calls.get(row.id)
    if call is not None and call == entry.attempt_id:
        # This worker's own claim, whose commit was not confirmed.
        return Claimed(Claim.OWNED, row.fence, row.spent, row.received_at)
    if row.lease_until is not None and row.lease_until <= now:
        return Claimed(Claim.LAPSED, row.fence, row.spent, row.received_at, call)
    return Claimed(Claim.BUSY, wait=_wait(row, now=now, lease=lease))


def _wait(row: Row[Any], *, now: datetime, lease: timedelta) -> timedelta:
    """
    Return how long to wait for a claimed row: as long again as the claim is old.

    Most calls end soon. A killed worker's call never ends, and the wait ends with its lease.
    """
    left = timedelta() if row.lease_until is None else row.lease_until - now
    return min(lease - left, left)


def _died(row: Row[Any]) -> bool:
    """
    Return whether the row's message was, or should have been, dead-lettered.

    A worker may have been killed after it recorded the end and before it rejected the message. A
    notification that a provider rejected is not a dead letter; one that no provider saw is.
    """
    return row.status in (Status.FAILED, Status.EXPIRED) or (
        row.status == Status.REJECTED and row.attempts == 0
    )
