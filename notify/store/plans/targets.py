"""The notifications that plans act on, and the release of those that a hold has set aside."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, select, update

from notify.message import Channel, Status
from notify.store.sealing.row_cipher import cipher_of
from notify.store.tables import attempts, notifications, plan_items


@dataclass(frozen=True, slots=True)
class Recipient:
    """The recipient of one notification, by its hash; rows of old versions have the address."""

    channel: Channel
    hash: bytes | None
    address: str = field(default="", repr=False)
    erased: bool = False


def read_statuses(connection: Connection, ids: Collection[UUID]) -> dict[UUID, Status]:
    """Return the statuses of notifications, by their rows; those not on record are left out."""
    columns = notifications.c
    query = select(columns.id, columns.status).where(columns.id.in_(ids))
    return {row.id: Status(row.status) for row in connection.execute(query)}


def erased_rows(connection: Connection, ids: Collection[UUID]) -> set[UUID]:
    """Return those of the notifications whose recipient was erased."""
    columns = notifications.c
    query = select(columns.id).where(columns.id.in_(ids), columns.erased_at.is_not(None))
    return set(connection.execute(query).scalars())


def called_since(connection: Connection, ids: Collection[UUID], *, since: datetime) -> set[UUID]:
    """Return those of the notifications for which a call to a provider began after *since*."""
    columns = attempts.c
    query = select(columns.notification_id).where(
        columns.notification_id.in_(ids), columns.started_at > since
    )
    return set(connection.execute(query).scalars())


def read_recipients(connection: Connection, ids: Collection[UUID]) -> dict[UUID, Recipient]:
    """
    Return the recipients of notifications, by their rows; those not on record are left out.

    Raises:
        Sealed: A row without a hash is sealed, and the keyring cannot open it.
    """
    columns = notifications.c
    cipher = cipher_of(connection)
    query = select(
        columns.id,
        columns.channel,
        columns.recipient_hash,
        columns.recipient,
        columns.key_id,
        columns.erased_at,
    ).where(columns.id.in_(ids))
    found = {}
    for row in connection.execute(query):
        erased, hash_ = row.erased_at is not None, row.recipient_hash
        clear = hash_ is None and not erased
        address = cipher.open_recipient(row.id, row.key_id, row.recipient) if clear else ""
        found[row.id] = Recipient(Channel(row.channel), hash_, address, erased)
    return found


def held_rows(connection: Connection, holds: Collection[int], *, limit: int) -> list[UUID]:
    """Return the notifications that holds have set aside, oldest first."""
    columns = notifications.c
    query = select(columns.id).where(columns.hold_id.in_(holds))
    query = query.order_by(columns.received_at, columns.position).limit(limit)
    return list(connection.execute(query).scalars())


def keep_for_plan(connection: Connection, plan_id: int, holds: Collection[int]) -> None:
    """
    Detach a plan's items from holds, in the transaction that ends these.

    They go on waiting for their due time, which `release_rows` brings forward. The end of a hold
    makes the notifications due that are not in the plan.
    """
    columns = notifications.c
    frozen = select(plan_items.c.row_id).where(
        plan_items.c.plan_id == plan_id, plan_items.c.row_id.is_not(None)
    )
    of_holds = columns.hold_id.in_(holds), columns.id.in_(frozen)
    connection.execute(update(notifications).where(*of_holds).values(hold_id=None))


def release_rows(connection: Connection, ids: Collection[UUID], *, now: datetime) -> set[UUID]:
    """Make notifications due that wait, and that no hold keeps; return them."""
    columns = notifications.c
    waits = columns.status == Status.QUEUED, columns.due_at > now, columns.hold_id.is_(None)
    statement = (
        update(notifications)
        .where(columns.id.in_(ids), *waits)
        # A wait is dated by its change (`set_back`).
        .values(due_at=now, updated_at=now)
        .returning(columns.id)
    )
    return set(connection.execute(statement).scalars())
