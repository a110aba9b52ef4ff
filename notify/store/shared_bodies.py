"""The parts of large batches' bodies that their recipients share: written, read, deleted."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Engine, delete, func, or_, select

from notify.errors import Sealed
from notify.message import Notification, SharedBody
from notify.store.db import upsert
from notify.store.sealing.row_cipher import RowCipher, cipher_of
from notify.store.tables import notifications, shared_bodies


def write_shared(engine: Engine, asked: Iterable[Notification], *, now: datetime) -> None:
    """Write the shared parts of these notifications, if any, in a transaction before theirs."""
    if parts := _parts(asked):
        cipher = cipher_of(engine)
        rows = _rows(parts, cipher, now=now)
        with engine.begin() as connection:
            _write(connection, rows)


def add_shared(connection: Connection, asked: Iterable[Notification], *, now: datetime) -> None:
    """Write the shared parts of these notifications, if any, with the caller's transaction."""
    if parts := _parts(asked):
        _write(connection, _rows(parts, cipher_of(connection), now=now))


def _parts(asked: Iterable[Notification]) -> dict[UUID, SharedBody]:
    return {part.id: part for each in asked if (part := each.shared) is not None}


def _rows(
    parts: Mapping[UUID, SharedBody], cipher: RowCipher, *, now: datetime
) -> list[dict[str, Any]]:
    rows = []
    # Always in one order, so that two workers do not deadlock.
    for id_ in sorted(parts):
        key_id, content = cipher.seal_shared(id_, parts[id_].content)
        rows.append({"id": id_, "key_id": key_id, "content": content, "written_at": now})
    return rows


def _write(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows; one that is on record already gets a new date, so that retention keeps it."""
    statement = upsert.insert(shared_bodies, connection).values(rows)
    changed = {"written_at": statement.excluded.written_at}
    connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=changed))


def read_shared(connection: Connection, ids: Collection[UUID]) -> dict[UUID, bytes | Sealed]:
    """Return shared parts in clear, by id; the error for those that the keyring cannot open."""
    if not ids:
        return {}
    columns, cipher = shared_bodies.c, cipher_of(connection)
    query = select(columns.id, columns.key_id, columns.content).where(columns.id.in_(ids))
    found: dict[UUID, bytes | Sealed] = {}
    for row in connection.execute(query):
        try:
            found[row.id] = cipher.open_shared(row.id, row.key_id, row.content)
        except Sealed as error:
            found[row.id] = error
    return found


def shared_sizes(connection: Connection, ids: Collection[UUID]) -> dict[UUID, int]:
    """Return the bytes of shared parts, by id."""
    columns = shared_bodies.c
    size = func.length(columns.content).label("size")
    query = select(columns.id, size).where(columns.id.in_(ids))
    return {row.id: row.size for row in connection.execute(query)}


def delete_unused(
    connection: Connection, ids: Sequence[UUID | None] = (), *, older: datetime | None = None
) -> None:
    """
    Delete shared parts that no notification has.

    Args:
        ids: Those to look at.
        older: Look also at all that were written before then.
    """
    columns = shared_bodies.c
    known = [each for each in ids if each is not None]
    wanted: list[ColumnElement[bool]] = [columns.id.in_(known)] if known else []
    if older is not None:
        wanted.append(columns.written_at <= older)
    if wanted:
        used = select(notifications.c.id).where(notifications.c.shared_id == columns.id).exists()
        connection.execute(delete(shared_bodies).where(or_(*wanted), ~used))
