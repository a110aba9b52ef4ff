"""Receipts as rows: each is inserted once, however often its vendor repeats it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from uuid import UUID

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.dialects import sqlite

from notify.receipt import Blame, ReceiptEvent
from notify.store.tables import receipts


@dataclass(frozen=True, slots=True)
class ReceiptRow:
    """
    One receipt as the record keeps it; the recipient's address itself is not kept.

    Attributes:
        fingerprint: A digest of the parts that stay the same when the receipt is repeated.
        notification_id: None if no notification matches.
        waits_until: When it is applied at the latest; None if it was applied at once.
    """

    fingerprint: bytes
    provider: str
    notification_id: UUID | None
    attempt_id: UUID | None
    provider_id: str
    event: ReceiptEvent
    word: str
    blame: Blame | None
    code: str | None
    reason: str | None
    recipient_hash: bytes | None
    at: datetime | None
    received_at: datetime
    applied_at: datetime | None
    waits_until: datetime | None


def insert_receipts(connection: Connection, rows: Sequence[ReceiptRow]) -> set[bytes]:
    """Insert receipts, each once; return the fingerprints that were not on record before."""
    if not rows:
        return set()
    if connection.dialect.name == "postgresql":
        # The driver is loaded only where it is used.
        from notify.store.receipts import postgresql

        return postgresql.insert(connection, rows)
    statement = sqlite.insert(receipts).on_conflict_do_nothing()
    written = [dict(zip(_NAMES, _values(row), strict=True)) for row in rows]
    new = connection.execute(statement.returning(receipts.c.fingerprint), written)
    return set(new.scalars())


_NAMES = tuple(ReceiptRow.__dataclass_fields__)
_PARTS = attrgetter(*_NAMES)


def _values(row: ReceiptRow) -> tuple[object, ...]:
    # The driver has no type for an enum of text.
    return tuple(str(each) if isinstance(each, str) else each for each in _PARTS(row))


def known_receipts(connection: Connection, fingerprints: Collection[bytes]) -> set[bytes]:
    """Return those of the fingerprints that are on record."""
    if connection.dialect.name == "postgresql":
        from notify.store.receipts import postgresql

        return postgresql.known(connection, fingerprints)
    columns = receipts.c
    query = select(columns.fingerprint).where(columns.fingerprint.in_(fingerprints))
    return set(connection.execute(query).scalars())


@dataclass(frozen=True, slots=True)
class WaitingReceipt:
    """A receipt that came before its notification's status could change."""

    id: int
    provider: str
    notification_id: UUID | None
    attempt_id: UUID | None
    provider_id: str
    event: ReceiptEvent
    word: str
    code: str | None
    reason: str | None
    recipient_hash: bytes | None
    at: datetime | None
    received_at: datetime


WAITING_COLUMNS = [receipts.c[name] for name in WaitingReceipt.__dataclass_fields__]
"""The columns of a `WaitingReceipt`."""


def end_waits(
    connection: Connection,
    applied: Sequence[tuple[int, UUID | None, UUID | None]],
    *,
    now: datetime,
) -> None:
    """
    Mark waiting receipts as applied.

    Args:
        applied: Each receipt's id, and the notification and call that it is about, if known.
    """
    if applied:
        statement = update(receipts).where(receipts.c.id == bindparam("receipt"))
        values = [
            {"receipt": id_, "owner": owner, "call": call} for id_, owner, call in sorted(applied)
        ]
        connection.execute(
            statement.values(
                notification_id=bindparam("owner"),
                attempt_id=bindparam("call"),
                applied_at=now,
                waits_until=None,
            ),
            values,
        )
