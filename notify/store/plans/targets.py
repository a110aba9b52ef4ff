"""The notifications that plans act on, as far as an action needs to know them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import Connection, select

from notify.message import Channel, Status
from notify.store.sealing.row_cipher import cipher_of
from notify.store.tables import notifications


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
