"""Replays: notifications get a new due time, at which the relay publishes them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

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

from notify.message import Channel, Identity, Notification, Outcome, Status, time_id
from notify.store.deadletters.archive import PARTS, LetterState, open_parts
from notify.store.sealing.row_cipher import SealedFields, cipher_of
from notify.store.shared_bodies import add_shared
from notify.store.status_rules import RowTransition, Transition
from notify.store.tables import attempts, dead_letters, notifications
from notify.store.transitions import enter, per_row, record_events, transition_each

_LOCK = int.from_bytes(b"replay", "big")


@dataclass(frozen=True, slots=True)
class Slot:
    """One notification and its due time."""

    id: UUID
    """Of its row: one request may have been published under several ids."""
    notification: Notification
    due_at: datetime
    status: Status
    """Of its row, or the one that a new row begins with."""
    possible_duplicate: bool = False
    """Whether an earlier call may have sent it."""

    def with_random_id(self) -> Slot:
        """Return the slot with a random row id, where the producer's id is in use."""
        row_id = time_id()
        asked = replace(self.notification, id=row_id, public_id=self.notification.id)
        return replace(self, id=row_id, notification=asked)


def lock_replays(connection: Connection) -> None:
    """Lock out other replays until the transaction ends; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))


def last_slots(connection: Connection, *, now: datetime) -> dict[Channel, datetime]:
    """Return the last slot of earlier replays for each channel, if it is still to come."""
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
    Queue rows that the caller has locked again, for the relay to publish in their slots.

    Their attempts stay. An open one is closed as unknown: its worker is gone.
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
            # The event has the reason; the row waits for its due time only.
            {"new_reason": None, "may_be_second": slot.possible_duplicate},
        )
        for slot in slots
    ]
    transition_each(connection, _AGAIN, changes, now=now)


def insert_new(
    connection: Connection, slots: Sequence[Slot], *, why: str, now: datetime
) -> set[UUID]:
    """
    Insert notifications that no worker has recorded, for the relay to publish in their slots.

    Returns:
        The rows that were inserted; the keys of the others were recorded in the meantime.
    """
    add_shared(connection, (slot.notification for slot in slots), now=now)
    fresh = _insert(connection, slots, now=now)
    # Where another source uses the id, the row gets a random one.
    renumbered = [
        slot.with_random_id() for slot in slots if slot.notification.identity not in fresh
    ]
    fresh |= _insert(connection, renumbered, now=now)
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
                _row(slot, cipher.seal_notification(slot.notification), now=now),
            )
            for slot in slots
        ),
    )


def _row(slot: Slot, sealed: SealedFields, *, now: datetime) -> dict[str, Any]:
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
        **asdict(sealed),
        "shared_id": None if asked.shared is None else asked.shared.id,
        "template": asked.template,
        "category": asked.category,
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
    Write into letters which replay includes them, and when its last message of each is due.

    Args:
        letters: The due time of each letter's last message, by its id.
        done: The letters that hold nothing more to replay; the others go on waiting.
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
    """Save the edited body and key of a letter beside the original ones."""
    columns = dead_letters.c
    row = connection.execute(select(*PARTS).where(columns.id == letter_id)).one()
    parts = open_parts(cipher_of(connection), row) | {"mended_body": body}
    connection.execute(
        update(dead_letters)
        .where(columns.id == letter_id)
        .values(
            # All parts of a letter are sealed with one key, which may have changed since.
            **cipher_of(connection).seal_letter(row.fingerprint, parts),
            mended_key=key,
            notification_id=notification.batch_id or notification.id,
            channel=notification.channel,
            lane=notification.lane,
            source=notification.source,
            template=notification.template,
        )
    )


def read_final_statuses(connection: Connection, ids: Collection[UUID]) -> dict[UUID, Status]:
    """Return the statuses of those notifications that ended; none with a look-up still due."""
    columns = notifications.c
    final = [each for each in Status if each.final]
    query = select(columns.id, columns.status).where(
        columns.id.in_(ids), columns.status.in_(final), columns.due_at.is_(None)
    )
    return {row.id: Status(row.status) for row in connection.execute(query)}
