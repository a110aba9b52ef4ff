"""Putting notifications back to work: a new time in the record, kept by the relay."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    Boolean,
    Connection,
    bindparam,
    func,
    or_,
    select,
    text,
    update,
)

from notify.message import Channel, Identity, Notification, Outcome, Status
from notify.store.deadletters.archive import PARTS, LetterState, open_parts
from notify.store.sealing.row_cipher import SealedFields, cipher_of
from notify.store.tables import attempts, dead_letters, notifications
from notify.store.transitions import (
    RowTransition,
    Transition,
    enter,
    per_row,
    record_events,
    transition_each,
)

_TURN = int.from_bytes(b"replay", "big")


@dataclass(frozen=True, slots=True)
class Slot:
    """One notification and the time at which it is sent."""

    id: UUID
    """Of its row: the same request may have been published under several ids."""
    notification: Notification
    due_at: datetime
    status: Status
    """Of its row, or the one that a new row begins with."""
    possible_duplicate: bool = False
    """Whether an earlier call may have sent it."""

    def apart(self) -> Slot:
        """Return the same slot for a row whose id is random, and not the producer's."""
        row_id = uuid4()
        asked = replace(self.notification, id=row_id, public_id=self.notification.id)
        return replace(self, id=row_id, notification=asked)


def lock_replays(connection: Connection) -> None:
    """Wait until no other replay writes; on SQLite, writers take turns anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_TURN})"))


def last_slots(connection: Connection, *, now: datetime) -> dict[Channel, datetime]:
    """Tell for each channel until when earlier replays send."""
    columns = dead_letters.c
    query = (
        select(columns.channel, func.max(columns.replay_until))
        .where(columns.replay_until > now, columns.channel.is_not(None))
        .group_by(columns.channel)
    )
    return {Channel(row[0]): row[1] for row in connection.execute(query)}


_AGAIN = per_row(
    spent=0,
    possible_duplicate=or_(
        notifications.c.possible_duplicate, bindparam("may_be_second", type_=Boolean)
    ),
    replayed_at=bindparam("new_due_at"),
)


def requeue(connection: Connection, slots: Sequence[Slot], *, why: str, now: datetime) -> None:
    """
    Give rows that the caller has locked a new time; the relay publishes them then.

    Their attempts stay; one that was never closed is closed as unknown, since nobody will.
    """
    if not slots:
        return
    ids = [slot.id for slot in slots]
    connection.execute(
        update(attempts)
        .where(attempts.c.notification_id.in_(ids), attempts.c.outcome.is_(None))
        .values(outcome=Outcome.UNKNOWN, ended_at=now, reason="its outcome was never recorded")
    )
    changes = [
        RowTransition(
            slot.id,
            slot.status,
            Transition(Status.QUEUED, why, slot.due_at),
            # The event tells why; the row has no reason to wait but its time.
            {"new_reason": None, "may_be_second": slot.possible_duplicate},
        )
        for slot in slots
    ]
    transition_each(connection, _AGAIN, changes, now=now)


def insert_new(
    connection: Connection, slots: Sequence[Slot], *, why: str, now: datetime
) -> set[UUID]:
    """
    Record notifications that no worker has seen yet, for the relay to publish at their time.

    Returns:
        The rows that were written; the others' keys have been taken this very moment.
    """
    fresh = _insert(connection, slots, now=now)
    # Where the id is another source's, the row gets another.
    apart = [slot.apart() for slot in slots if slot.notification.identity not in fresh]
    fresh |= _insert(connection, apart, now=now)
    written = {id_ for _, id_ in fresh}
    record_events(connection, written, Transition(Status.QUEUED, why), now=now)
    return written


def _insert(connection: Connection, slots: Sequence[Slot], *, now: datetime) -> set[Identity]:
    cipher = cipher_of(connection)
    return enter(
        connection,
        (
            (
                slot.status,
                _row(slot, cipher.of_notification(slot.notification), now=now),
            )
            for slot in slots
        ),
    )


def _row(slot: Slot, kept: SealedFields, *, now: datetime) -> dict[str, Any]:
    asked = slot.notification
    return {
        "id": slot.id,
        "public_id": asked.public_id,
        "batch_id": asked.batch_id,
        "position": asked.position,
        "source": asked.source,
        "channel": asked.channel,
        "lane": asked.lane,
        "idempotency_key": asked.idempotency_key,
        **asdict(kept),
        "template": asked.template,
        "attempts": 0,
        "spent": 0,
        "possible_duplicate": False,
        "due_at": slot.due_at,
        "replayed_at": slot.due_at,
        "fence": 0,
        "expires_at": asked.expires_at,
        "traceparent": asked.traceparent,
        "received_at": now,
        "updated_at": now,
    }


def mark_replayed(
    connection: Connection,
    letters: Mapping[int, datetime],
    *,
    replay_id: UUID,
    done: Collection[int],
    now: datetime,
) -> None:
    """
    Note on letters which replay took them up, and until when it sends.

    Args:
        letters: The time of the last message of each.
        done: Those of which nothing is left to decide; the others go on waiting.
    """
    columns = dead_letters.c
    for id_, until in letters.items():
        values: dict[str, Any] = {"replay_id": replay_id, "replay_until": until}
        if id_ in done:
            values |= {"state": LetterState.REPLAYED, "state_at": now}
        connection.execute(update(dead_letters).where(columns.id == id_).values(values))


def save_edit(
    connection: Connection, letter_id: int, notification: Notification, *, body: bytes, key: str
) -> None:
    """Keep what an operator made of a letter, beside what it was."""
    columns = dead_letters.c
    row = connection.execute(select(*PARTS).where(columns.id == letter_id)).one()
    parts = open_parts(cipher_of(connection), row) | {"mended_body": body}
    connection.execute(
        update(dead_letters)
        .where(columns.id == letter_id)
        .values(
            # The parts of a letter are sealed with one key, be it another now.
            **cipher_of(connection).of_letter(row.fingerprint, parts),
            mended_key=key,
            notification_id=notification.batch_id or notification.id,
            channel=notification.channel,
            lane=notification.lane,
            source=notification.source,
            template=notification.template,
        )
    )


def read_statuses(connection: Connection, ids: Collection[UUID]) -> dict[UUID, Status]:
    """Tell where notifications stand."""
    columns = notifications.c
    query = select(columns.id, columns.status).where(columns.id.in_(ids))
    return {row.id: Status(row.status) for row in connection.execute(query)}
