"""Due notifications, leased to one relay or reconciler at a time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, and_, or_, update

from notify.contract import whole_body
from notify.errors import Sealed
from notify.message import Channel, Status, ids
from notify.store.ids import PUBLIC_ID
from notify.store.relays.leasing import lease_rows
from notify.store.sealing.row_cipher import RowCipher, cipher_of
from notify.store.shared_bodies import read_shared, shared_sizes
from notify.store.status_rules import WAITING, Transition
from notify.store.tables import notifications
from notify.store.transitions import transition_quietly

MOST_BYTES = 32 * 1024 * 1024
"""The most bytes of shared parts in the bodies of one lease, unless one row has more."""


@dataclass(frozen=True, slots=True)
class Due:
    """One notification that is due."""

    id: UUID
    source: str
    channel: Channel
    lane: str
    body: bytes
    """Its request; empty if the keyring cannot open it."""
    traceparent: str | None
    leased_until: datetime
    """The end of the lease: no other relay gets it before."""
    public_id: UUID
    """The id that its producer uses; messages carry this one."""
    sealed: str | None = None
    """The name of the key that it is sealed with, if the keyring cannot open it."""
    category: str | None = None

    @property
    def ids(self) -> dict[str, str]:
        """The fields that identify it in every log line."""
        return ids(self.id, traceparent=self.traceparent)


_COLUMNS = [
    PUBLIC_ID.label("public_id"),
    *(
        notifications.c[name]
        for name in (
            "id",
            "source",
            "channel",
            "lane",
            "category",
            "key_id",
            "body",
            "shared_id",
            "traceparent",
        )
    ),
]


def lease_due(
    connection: Connection,
    statuses: Collection[Status],
    *,
    channel: Channel | None = None,
    aside: Collection[tuple[Channel, str]] = (),
    now: datetime,
    lease: timedelta,
    limit: int,
) -> list[Due]:
    """
    Lease due notifications that have one of *statuses*, and return them, oldest first.

    Args:
        channel: None for all channels.
        aside: Channels and lanes to leave out.
        limit: The most rows; fewer if their bodies have more than `MOST_BYTES` together.
        lease: When it is over, another relay may lease the rows: this one may have died.
    """
    columns = notifications.c
    wanted = [
        columns.due_at <= now,
        columns.status.in_([str(each) for each in statuses]),
        *(or_(columns.channel != each, columns.lane != lane) for each, lane in aside),
    ]
    if channel is not None:
        wanted.append(columns.channel == channel)
    leased = lease_rows(
        notifications,
        *wanted,
        until=columns.relay_until,
        first=columns.due_at,
        now=now,
        lease=lease,
        limit=limit,
    ).returning(*_COLUMNS)
    rows = _affordable(connection, connection.execute(leased).all(), now=now)
    cipher = cipher_of(connection)
    shared = read_shared(connection, {row.shared_id for row in rows if row.shared_id is not None})
    return [_due(row, cipher, shared.get(row.shared_id), leased_until=now + lease) for row in rows]


def _affordable(
    connection: Connection, rows: Sequence[Row[Any]], *, now: datetime
) -> Sequence[Row[Any]]:
    """Return the first rows whose shared parts fit into memory; end the lease of the others."""
    ids = {row.shared_id for row in rows if row.shared_id is not None}
    if not ids:
        return rows
    sizes, total = shared_sizes(connection, ids), 0
    for number, row in enumerate(rows):
        total += sizes.get(row.shared_id, 0)
        if number and total > MOST_BYTES:
            left = [each.id for each in rows[number:]]
            ended = update(notifications).where(notifications.c.id.in_(left))
            connection.execute(ended.values(relay_until=now))
            return rows[:number]
    return rows


def _due(
    row: Row[Any], cipher: RowCipher, shared: bytes | Sealed | None, *, leased_until: datetime
) -> Due:
    sealed = None
    try:
        body = cipher.open_body(row.id, row.key_id, row.body)
        if isinstance(shared, Sealed):
            raise shared
        if shared is not None:
            body = whole_body(body, shared)
    except Sealed as error:
        body, sealed = b"", error.key
    return Due(
        row.id,
        row.source,
        Channel(row.channel),
        row.lane,
        body,
        row.traceparent,
        leased_until,
        row.public_id,
        sealed,
        row.category,
    )


def mark_due_published(connection: Connection, rows: Sequence[Due], *, now: datetime) -> None:
    """Queue these without a due time: the broker confirmed their messages."""
    if not rows:
        return
    columns = notifications.c
    # A worker may have claimed one already, and even have deferred it again.
    leased = and_(
        columns.id.in_([row.id for row in rows]), columns.relay_until == rows[0].leased_until
    )
    # No event: they wait as before. A hold counts its rows until a worker has checked them.
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
    Shorten the leases: the broker did not confirm the messages.

    The rows stay marked as leased: a message may be on its way, and must not count as a duplicate.
    """
    if not rows:
        return
    columns = notifications.c
    connection.execute(
        update(notifications)
        .where(
            columns.id.in_([row.id for row in rows]),
            columns.relay_until == rows[0].leased_until,
        )
        .values(relay_until=until)
    )
