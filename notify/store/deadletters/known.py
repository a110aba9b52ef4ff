"""The rows that some requests may refer to, and the calls made for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, or_, select, tuple_

from notify.errors import Sealed
from notify.message import Notification, Outcome, Status
from notify.store.ids import PUBLIC_ID, known_as
from notify.store.sealing.row_cipher import RowCipher, cipher_of
from notify.store.tables import attempts, notifications


@dataclass(frozen=True, slots=True)
class KnownCall:
    """One call that was made, or begun, for a notification."""

    outcome: Outcome | None
    """None while the answer is not recorded."""
    reason: str | None
    code: str | None
    """The vendor's error code, or else its HTTP status."""


@dataclass(frozen=True, slots=True)
class KnownNotification:
    """One notification on record."""

    id: UUID
    """The row's."""
    public_id: UUID
    """The id that its source uses for it."""
    key: tuple[str, str, int]
    digest: bytes
    status: Status
    reason: str | None
    due_at: datetime | None
    lease_until: datetime | None
    updated_at: datetime
    erased: bool = False
    """Whether its recipient was erased: it can never be sent."""
    calls: Sequence[KnownCall] = ()
    """In the order they were made."""


def find_known(
    connection: Connection, asked: Iterable[Notification], *, lock: bool = False
) -> list[KnownNotification]:
    """
    Return all rows that have the keys or the ids of requests.

    All rows of a batch are found by its first recipient.

    Args:
        lock: Lock the rows until the transaction ends.

    Raises:
        Sealed: One is sealed, and without a keyring its digest cannot be compared.
    """
    asked = list(asked)
    if not asked:
        return []
    columns = notifications.c
    related = or_(
        tuple_(columns.source, columns.idempotency_key).in_(list({each.key[:2] for each in asked})),
        known_as({each.id for each in asked}),
    )
    query = (
        select(PUBLIC_ID.label("known_by"), *(columns[name] for name in _KNOWN))
        .where(related)
        .order_by(columns.id)
    )
    if lock:
        query = query.with_for_update()
    rows = connection.execute(query).all()
    calls = _calls(connection, related) if rows else {}
    cipher = cipher_of(connection)
    plain = {cipher.digest(each.digest): each.digest for each in asked}
    return [_known(row, _digest(row, plain, cipher), calls.get(row.id, ())) for row in rows]


def _known(row: Row[Any], digest: bytes, calls: Sequence[KnownCall]) -> KnownNotification:
    return KnownNotification(
        id=row.id,
        public_id=row.known_by,
        key=(row.source, row.idempotency_key, row.position),
        digest=digest,
        status=Status(row.status),
        reason=row.reason,
        due_at=row.due_at,
        lease_until=row.lease_until,
        updated_at=row.updated_at,
        erased=row.erased_at is not None,
        calls=calls,
    )


_KNOWN = (
    *("id", "source", "idempotency_key", "position", "digest", "key_id", "status", "reason"),
    *("due_at", "lease_until", "updated_at", "erased_at"),
)


def _digest(row: Row[Any], plain: Mapping[bytes, bytes], cipher: RowCipher) -> bytes:
    """Return the plain digest of a row if a request has it; else the digest as it is stored."""
    if row.key_id is None:
        digest: bytes = row.digest
        return digest
    if cipher.keyring.current is None:
        raise Sealed(
            f"{row.id} is sealed with the key {row.key_id}, and no keyring is configured",
            key=row.key_id,
        )
    return plain.get(row.digest, row.digest)


def _calls(connection: Connection, related: ColumnElement[bool]) -> dict[UUID, list[KnownCall]]:
    query = (
        select(
            attempts.c.notification_id,
            attempts.c.outcome,
            attempts.c.reason,
            attempts.c.code,
            attempts.c.http_status,
        )
        .join(notifications, notifications.c.id == attempts.c.notification_id)
        .where(related)
        .order_by(attempts.c.notification_id, attempts.c.number)
    )
    found: dict[UUID, list[KnownCall]] = {}
    for row in connection.execute(query):
        outcome = Outcome(row.outcome) if row.outcome else None
        code = row.code or (str(row.http_status) if row.http_status else None)
        found.setdefault(row.notification_id, []).append(KnownCall(outcome, row.reason, code))
    return found
