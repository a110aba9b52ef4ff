"""The rows of local users."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from notify.store.tables import people


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One local user."""

    name: str
    role: str
    password_hash: str
    created_at: datetime
    changed_at: datetime


def insert_person(connection: Connection, person: PersonRow) -> None:
    """Insert a user whose name is not on record yet."""
    connection.execute(
        insert(people).values(
            name=person.name,
            role=person.role,
            password_hash=person.password_hash,
            created_at=person.created_at,
            changed_at=person.changed_at,
        )
    )


def person_named(connection: Connection, name: str, *, lock: bool = False) -> PersonRow | None:
    """
    Return the user of this name, None if there is none.

    Args:
        lock: Whether the row stays as it is until the transaction ends.
    """
    query = select(people).where(people.c.name == name)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else _person(row)


def find_people(connection: Connection, *, limit: int) -> list[PersonRow]:
    """Return the first users by name."""
    rows = connection.execute(select(people).order_by(people.c.name).limit(limit))
    return [_person(row) for row in rows]


def has_people(connection: Connection) -> bool:
    """Return whether there is any user."""
    return connection.scalar(select(people.c.name).limit(1)) is not None


def change_password(connection: Connection, name: str, password_hash: str, *, at: datetime) -> bool:
    """Store a new password's hash; return whether the user exists."""
    change = update(people).where(people.c.name == name)
    done = connection.execute(change.values(password_hash=password_hash, changed_at=at))
    return done.rowcount == 1


def rehash_password(connection: Connection, name: str, *, before: str, after: str) -> None:
    """Replace the hash of an unchanged password by one with newer parameters."""
    same = (people.c.name == name, people.c.password_hash == before)
    connection.execute(update(people).where(*same).values(password_hash=after))


def delete_person(connection: Connection, name: str) -> bool:
    """Delete a user; return whether there was one."""
    return connection.execute(delete(people).where(people.c.name == name)).rowcount == 1


def _person(row: Row[Any]) -> PersonRow:
    return PersonRow(row.name, row.role, row.password_hash, row.created_at, row.changed_at)
