"""What has come due: rows whose time the record keeps, handed to one relay at a time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, and_, or_, select, update

from notify.errors import Sealed
from notify.message import Channel, Status, ids
from notify.store.ids import PUBLIC_ID
from notify.store.sealing.row_cipher import RowCipher, cipher_of
from notify.store.set_back import unleased
from notify.store.tables import notifications
from notify.store.transitions import WAITING, Transition, transition_quietly


@dataclass(frozen=True, slots=True)
class Due:
    """One notification whose time has come."""

    id: UUID
    source: str
    channel: Channel
    lane: str
    body: bytes
    """Its request; empty where the keyring does not open it."""
    traceparent: str | None
    held_until: datetime
    """Until then no other relay gets it."""
    public_id: UUID
    """The id that its producer knows it by; a message about it carries this one."""
    sealed: str | None = None
    """The key that it is sealed with and that does not open it here."""

    @property
    def ids(self) -> dict[str, str]:
        """What each line of the log about it begins with."""
        return ids(self.id, traceparent=self.traceparent)


def lease_due(
    connection: Connection,
    statuses: Collection[Status],
    *,
    channel: Channel | None = None,
    aside: Collection[tuple[Channel, str]] = (),
    now: datetime,
    hold: timedelta,
    limit: int,
) -> list[Due]:
    """
    Take what is due in one of *statuses*, oldest first, and hold it against other relays.

    A relay that dies lets go when *hold* is over. Without a *channel*, all of them are meant;
    *aside* are the channels' lanes that are not.
    """
    columns = notifications.c
    unheld = unleased(columns.relay_until, now=now, hold=hold)
    wanted = [columns.due_at <= now, unheld, columns.status.in_([str(each) for each in statuses])]
    if channel is not None:
        wanted.append(columns.channel == channel)
    wanted += [or_(columns.channel != each, columns.lane != lane) for each, lane in aside]
    chosen = (
        select(columns.id)
        .where(*wanted)
        .order_by(columns.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    taken = (
        update(notifications)
        .where(columns.id.in_(chosen.scalar_subquery()))
        .values(relay_until=now + hold)
        .returning(
            columns.id,
            PUBLIC_ID.label("public_id"),
            columns.source,
            columns.channel,
            columns.lane,
            columns.key_id,
            columns.body,
            columns.traceparent,
        )
    )
    cipher = cipher_of(connection)
    return [_due(row, cipher, held_until=now + hold) for row in connection.execute(taken)]


def _due(row: Row[Any], cipher: RowCipher, *, held_until: datetime) -> Due:
    sealed = None
    try:
        body = cipher.open_body(row.id, row.key_id, row.body)
    except Sealed as error:
        body, sealed = b"", error.key
    return Due(
        row.id,
        row.source,
        Channel(row.channel),
        row.lane,
        body,
        row.traceparent,
        held_until,
        row.public_id,
        sealed,
    )


def mark_due_published(connection: Connection, rows: Sequence[Due], *, now: datetime) -> None:
    """Note that the broker has these: their time is no longer ours to keep."""
    if not rows:
        return
    columns = notifications.c
    # A worker may have claimed it already, and even have deferred it again.
    leased = and_(
        columns.id.in_([row.id for row in rows]), columns.relay_until == rows[0].held_until
    )
    # No event: it waits as before. A hold goes on counting it until a worker has checked.
    transition_quietly(
        connection,
        leased,
        Transition(Status.QUEUED, None),
        among=WAITING,
        now=now,
        hold_id=columns.hold_id,
        reason=columns.reason,
    )


def release_due(connection: Connection, rows: Sequence[Due], *, until: datetime) -> None:
    """
    Hold these only *until* then: the broker did not take them, or did not say so.

    They stay marked as held once: a message may be out, and it is not a double of one to come.
    """
    if not rows:
        return
    columns = notifications.c
    connection.execute(
        update(notifications)
        .where(
            columns.id.in_([row.id for row in rows]),
            columns.relay_until == rows[0].held_until,
        )
        .values(relay_until=until)
    )
