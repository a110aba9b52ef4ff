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
    insert,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from notify.message import Channel, Identity, Notification, Outcome, Status
from notify.store.deadletters.archive import PARTS, LetterState, opened
from notify.store.sealing.row_cipher import SealedFields, cipher_of
from notify.store.tables import attempts, dead_letters, events, notifications

_TURN = int.from_bytes(b"replay", "big")


@dataclass(frozen=True, slots=True)
class Slot:
    """One notification and the time at which it is sent."""

    id: UUID
    """Of its row: the same request may have been published under several ids."""
    notification: Notification
    due_at: datetime
    possible_duplicate: bool = False
    """Whether an earlier call may have sent it."""

    def apart(self) -> Slot:
        """Return the same slot for a row whose id is random, and not the producer's."""
        row_id = uuid4()
        asked = replace(self.notification, id=row_id, public_id=self.notification.id)
        return replace(self, id=row_id, notification=asked)


def take_turn(connection: Connection) -> None:
    """Wait until no other replay writes; on SQLite, writers take turns anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_TURN})"))


def lined_up(connection: Connection, *, now: datetime) -> dict[Channel, datetime]:
    """Tell for each channel until when earlier replays send."""
    columns = dead_letters.c
    query = (
        select(columns.channel, func.max(columns.replay_until))
        .where(columns.replay_until > now, columns.channel.is_not(None))
        .group_by(columns.channel)
    )
    return {Channel(row[0]): row[1] for row in connection.execute(query)}


_AGAIN = (
    update(notifications)
    .where(notifications.c.id == bindparam("of_notification"))
    .values(
        status=Status.QUEUED,
        reason=None,
        spent=0,
        possible_duplicate=or_(
            notifications.c.possible_duplicate, bindparam("may_be_second", type_=Boolean)
        ),
        due_at=bindparam("slot"),
        relay_until=None,
        lease_until=None,
        replayed_at=bindparam("slot"),
        updated_at=bindparam("at"),
    )
)


def send_again(connection: Connection, slots: Sequence[Slot], *, why: str, now: datetime) -> None:
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
    connection.execute(
        _AGAIN,
        [
            {
                "of_notification": slot.id,
                "may_be_second": slot.possible_duplicate,
                "slot": slot.due_at,
                "at": now,
            }
            for slot in slots
        ],
    )
    _tell(connection, ids, why=why, now=now)


def send_new(
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
    _tell(connection, written, why=why, now=now)
    return written


def _insert(connection: Connection, slots: Sequence[Slot], *, now: datetime) -> set[Identity]:
    if not slots:
        return set()
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(notifications).on_conflict_do_nothing()
    vault = cipher_of(connection)
    rows = [_row(slot, vault.of_notification(slot.notification), now=now) for slot in slots]
    columns = notifications.c
    done = connection.execute(statement.returning(columns.source, columns.id), rows)
    return {(row.source, row.id) for row in done}


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
        "status": Status.SCHEDULED if asked.send_at == slot.due_at else Status.QUEUED,
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


def _tell(connection: Connection, ids: Collection[UUID], *, why: str, now: datetime) -> None:
    """Write the event: of no news to the producer, who is told how it ends."""
    told = {"at": now, "status": Status.QUEUED, "reason": why[:255], "to_publish": False}
    if ids:
        connection.execute(insert(events), [{"notification_id": id_, **told} for id_ in ids])


def mark(
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


def mend(
    connection: Connection, letter_id: int, notification: Notification, *, body: bytes, key: str
) -> None:
    """Keep what an operator made of a letter, beside what it was."""
    columns = dead_letters.c
    row = connection.execute(select(*PARTS).where(columns.id == letter_id)).one()
    parts = opened(cipher_of(connection), row) | {"mended_body": body}
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


def statuses(connection: Connection, ids: Collection[UUID]) -> dict[UUID, Status]:
    """Tell where notifications stand."""
    columns = notifications.c
    query = select(columns.id, columns.status).where(columns.id.in_(ids))
    return {row.id: Status(row.status) for row in connection.execute(query)}
