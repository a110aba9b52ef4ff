"""The inbox of receipts: messages that the web intake stored while the broker was away."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import Connection, delete, func, insert, literal, select, update

from notify.errors import Sealed
from notify.store.relays.leasing import lease_rows
from notify.store.sealing.row_cipher import cipher_of
from notify.store.tables import receipt_inbox

_MOST_COUNTED = 100_000


@dataclass(frozen=True, slots=True)
class InboxEntry:
    """A message to store: the key that it is published with, and its body in clear."""

    routing_key: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PendingReceipts:
    """
    A stored message.

    Attributes:
        id: The row.
        message_id: The same each time that it is published.
        routing_key: The key that it is published with.
        body: In clear; empty if no key of this process opens it.
        sealed: The key that this process lacks; None if the body is in clear.
    """

    id: int
    message_id: UUID
    routing_key: str
    body: bytes = field(repr=False)
    sealed: str | None


def add_to_inbox(
    connection: Connection, entries: Sequence[InboxEntry], *, received_at: datetime
) -> None:
    """Store messages, sealed if there is a keyring."""
    cipher = cipher_of(connection)
    rows = []
    for entry in entries:
        context = uuid4()
        key_id, body = cipher.seal_receipts(context, entry.body)
        rows.append(
            {
                "received_at": received_at,
                "routing_key": entry.routing_key,
                "key_id": key_id,
                "context": context,
                "body": body,
            }
        )
    connection.execute(insert(receipt_inbox), rows)


def lease_inbox(
    connection: Connection, *, now: datetime, lease: timedelta, limit: int
) -> list[PendingReceipts]:
    """Lease the oldest messages, and return them in the order in which they were stored."""
    columns = receipt_inbox.c
    leased = lease_rows(
        receipt_inbox,
        until=columns.relay_until,
        first=columns.id,
        now=now,
        lease=lease,
        limit=limit,
    ).returning(columns.id, columns.routing_key, columns.key_id, columns.context, columns.body)
    cipher = cipher_of(connection)
    found = []
    for row in connection.execute(leased):
        body, sealed = b"", None
        try:
            body = cipher.open_receipts(row.context, row.key_id, row.body)
        except Sealed as error:
            sealed = error.key
        found.append(PendingReceipts(row.id, row.context, row.routing_key, body, sealed))
    return sorted(found, key=lambda each: each.id)


def delete_from_inbox(connection: Connection, ids: Collection[int]) -> None:
    """Delete messages: the broker confirmed them."""
    connection.execute(delete(receipt_inbox).where(receipt_inbox.c.id.in_(ids)))


def release_inbox(connection: Connection, ids: Collection[int]) -> None:
    """End the leases of messages that the broker did not confirm."""
    chosen = receipt_inbox.c.id.in_(ids)
    connection.execute(update(receipt_inbox).where(chosen).values(relay_until=None))


def count_inbox(connection: Connection) -> int:
    """Count the stored messages, at most 100,000."""
    some = select(literal(1)).select_from(receipt_inbox).limit(_MOST_COUNTED).subquery()
    return connection.execute(select(func.count()).select_from(some)).scalar_one()
