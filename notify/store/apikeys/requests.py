"""Requests with an idempotency key: the row that decides what a repeat is answered."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, delete, func, select, tuple_, update

from notify.store.db import upsert
from notify.store.ids import PUBLIC_ID
from notify.store.sealing.row_cipher import RowCipher, cipher_of
from notify.store.tables import api_requests, notifications

_COLUMNS = api_requests.c


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """A request of a source, before it is published."""

    key: str
    id: UUID
    """The request's own id, or a new one."""
    digest: bytes
    """SHA-256 of its meaning, as in the contract."""


@dataclass(frozen=True, slots=True)
class KnownRequest:
    """
    The knowledge about an idempotency key.

    Attributes:
        id: The id under which its request is or will be published.
        same: Whether that is the request that came now.
        confirmed: Whether RabbitMQ has it for certain.
    """

    id: UUID
    same: bool
    confirmed: bool


def reserve(
    connection: Connection, source: str, requests: Sequence[KeyedRequest], *, now: datetime
) -> dict[str, KnownRequest]:
    """
    Return, by key, what is known; a key that is new is recorded for its request.

    Of two transactions with one key, the second waits for the first. A key that a notification on
    record has, whichever way its request came, belongs to that notification.
    """
    cipher = cipher_of(connection)
    wanted = {each.key: each for each in sorted(requests, key=lambda each: each.key)}
    fresh = _insert(connection, source, wanted.values(), cipher, now=now)
    recorded = _recorded(connection, source, fresh)
    found = {key: KnownRequest(wanted[key].id, True, False) for key in fresh}
    for key, row in recorded.items():
        found[key] = _of_row(row, wanted[key], row.key_id, cipher, confirmed=True)
    # Else a repeat of a conflict would look like the first request of its key.
    for key, known in found.items():
        if known.confirmed:
            _correct(connection, source, key, recorded[key], now=now)
    rest = wanted.keys() - fresh
    for row in _known(connection, source, rest):
        sealed = "hash" if row.sealed else None
        confirmed = row.confirmed_at is not None
        asked = wanted[row.idempotency_key]
        found[asked.key] = _of_row(row, asked, sealed, cipher, confirmed=confirmed)
    return found


def confirm_requests(
    connection: Connection, source: str, keys: Collection[str], *, now: datetime
) -> set[str]:
    """Write that RabbitMQ has confirmed requests; return the keys of which it was not known."""
    change = update(api_requests).where(
        _COLUMNS.source == source,
        _COLUMNS.idempotency_key.in_(sorted(keys)),
        _COLUMNS.confirmed_at.is_(None),
    )
    written = change.values(confirmed_at=now).returning(_COLUMNS.idempotency_key)
    return set(connection.execute(written).scalars())


def delete_old_requests(connection: Connection, *, before: datetime, limit: int) -> int:
    """Delete the next requests of before then; return their number."""
    key = tuple_(_COLUMNS.source, _COLUMNS.idempotency_key)
    query = select(_COLUMNS.source, _COLUMNS.idempotency_key).where(_COLUMNS.at <= before)
    query = query.order_by(_COLUMNS.at).limit(limit).with_for_update(skip_locked=True)
    keys = [tuple(row) for row in connection.execute(query)]
    return connection.execute(delete(api_requests).where(key.in_(keys))).rowcount if keys else 0


def forget_requests(connection: Connection, keys: Collection[tuple[str, str]]) -> None:
    """Delete requests by source and key: of notifications whose recipient is erased."""
    key = tuple_(_COLUMNS.source, _COLUMNS.idempotency_key)
    if keys:
        connection.execute(delete(api_requests).where(key.in_(keys)))


def _insert(
    connection: Connection,
    source: str,
    requests: Collection[KeyedRequest],
    cipher: RowCipher,
    *,
    now: datetime,
) -> set[str]:
    sealed = cipher.keyring.current is not None
    rows = [
        {
            "source": source,
            "idempotency_key": each.key,
            "id": each.id,
            "digest": cipher.digest(each.digest) if sealed else each.digest,
            "sealed": sealed,
            "at": now,
        }
        for each in requests
    ]
    statement = upsert.insert(api_requests, connection).on_conflict_do_nothing()
    new = connection.execute(statement.values(rows).returning(_COLUMNS.idempotency_key))
    return set(new.scalars())


def _recorded(connection: Connection, source: str, keys: Collection[str]) -> dict[str, Row[Any]]:
    """Return the notifications that have the keys, the first recipient's of a batch."""
    if not keys:
        return {}
    columns = notifications.c
    query = select(
        columns.idempotency_key,
        func.coalesce(columns.batch_id, PUBLIC_ID, type_=columns.id.type).label("id"),
        columns.digest,
        columns.key_id,
    ).where(
        columns.source == source,
        columns.idempotency_key.in_(sorted(keys)),
        columns.position == 0,
    )
    return {row.idempotency_key: row for row in connection.execute(query)}


def _known(connection: Connection, source: str, keys: Collection[str]) -> Sequence[Row[Any]]:
    if not keys:
        return []
    mine = _COLUMNS.source == source, _COLUMNS.idempotency_key.in_(sorted(keys))
    return connection.execute(select(api_requests).where(*mine)).all()


def _of_row(
    row: Row[Any], asked: KeyedRequest, key_id: str | None, cipher: RowCipher, *, confirmed: bool
) -> KnownRequest:
    same = cipher.is_same(key_id, row.digest, asked.digest)
    return KnownRequest(row.id, same, confirmed)


def _correct(
    connection: Connection, source: str, key: str, row: Row[Any], *, now: datetime
) -> None:
    """Make a new row that of the notification on record, which has its key already."""
    values: Mapping[str, Any] = {
        "id": row.id,
        "digest": row.digest,
        "sealed": row.key_id is not None,
        "confirmed_at": now,
    }
    mine = _COLUMNS.source == source, _COLUMNS.idempotency_key == key
    connection.execute(update(api_requests).where(*mine).values(**values))
