"""Rows of the API's keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, or_, select, update

from notify.store.tables import api_keys


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """
    One key of the API, without its secret.

    Attributes:
        name: What uses it, as an operator named it.
        hash: SHA-256 of the key.
        used_at: When it was last used, to the minute.
        replaces: The key that it was made to replace.
    """

    id: int
    source: str
    name: str
    scopes: str
    hash: bytes
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    used_at: datetime | None
    replaces: int | None


def insert_key(connection: Connection, values: Mapping[str, Any]) -> int:
    """Add a key and return its number; *values* are columns of `api_keys`."""
    statement = insert(api_keys).values(**values).returning(api_keys.c.id)
    return connection.execute(statement).scalar_one()


def find_keys(
    connection: Connection, *, source: str | None = None, live_at: datetime | None = None
) -> list[KeyRow]:
    """
    Return keys, the oldest first.

    Args:
        source: Only those of this source.
        live_at: Only those that may be used at this time.
    """
    columns = api_keys.c
    query = select(api_keys).order_by(columns.id)
    if source is not None:
        query = query.where(columns.source == source)
    if live_at is not None:
        unexpired = or_(columns.expires_at.is_(None), columns.expires_at > live_at)
        query = query.where(columns.revoked_at.is_(None), unexpired)
    return [KeyRow(**row._asdict()) for row in connection.execute(query)]


def key_by_id(connection: Connection, id_: int) -> tuple[KeyRow, int | None] | None:
    """Return a key, locked, and the number of the key that replaces it; None if there is none."""
    query = select(api_keys).where(api_keys.c.id == id_).with_for_update()
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    successor = select(api_keys.c.id).where(api_keys.c.replaces == id_)
    return KeyRow(**row._asdict()), connection.execute(successor).scalars().first()


def limit_key(connection: Connection, id_: int, values: Mapping[str, datetime]) -> None:
    """Write when a key expires or was revoked."""
    connection.execute(update(api_keys).where(api_keys.c.id == id_).values(**values))


def mark_used(connection: Connection, used: Mapping[int, datetime]) -> None:
    """Write when keys were last used; an earlier time replaces no later one."""
    columns = api_keys.c
    earlier = or_(columns.used_at.is_(None), columns.used_at < bindparam("at"))
    statement = update(api_keys).where(columns.id == bindparam("of_key"), earlier)
    rows = [{"of_key": id_, "at": at} for id_, at in sorted(used.items())]
    if rows:
        connection.execute(statement.values(used_at=bindparam("at")), rows)
