"""The rows of sessions, by the hash of their token."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, delete, func, insert, or_, select

from notify.store.tables import people, sessions

PASSWORD = "password"  # noqa: S105 - a word, not a password
"""The value of `via` of a local user's session."""


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One session that has not ended."""

    name: str
    via: str
    role: str
    """The user's role now: a local user's may have changed since the sign-in."""
    expires_at: datetime


def insert_session(
    connection: Connection, token_hash: bytes, session: SessionRow, *, now: datetime
) -> None:
    """Insert a session."""
    connection.execute(
        insert(sessions).values(
            token_hash=token_hash,
            name=session.name,
            via=session.via,
            role=None if session.via == PASSWORD else session.role,
            created_at=now,
            expires_at=session.expires_at,
        )
    )


def session_with(connection: Connection, token_hash: bytes, *, now: datetime) -> SessionRow | None:
    """Return a session; None if there is none, it has ended, or its local user was removed."""
    local = and_(people.c.name == sessions.c.name, sessions.c.via == PASSWORD)
    role = func.coalesce(sessions.c.role, people.c.role)
    query = (
        select(sessions.c.name, sessions.c.via, role, sessions.c.expires_at)
        .select_from(sessions.outerjoin(people, local))
        .where(sessions.c.token_hash == token_hash, sessions.c.expires_at > now)
        .where(or_(sessions.c.via != PASSWORD, people.c.name.is_not(None)))
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else SessionRow(row[0], row[1], row[2], row[3])


def delete_session(connection: Connection, token_hash: bytes) -> None:
    """End a session."""
    connection.execute(delete(sessions).where(sessions.c.token_hash == token_hash))


def delete_sessions_of(connection: Connection, name: str, *, via: str = PASSWORD) -> int:
    """End all sessions of a user; return their number."""
    own = (sessions.c.name == name, sessions.c.via == via)
    return connection.execute(delete(sessions).where(*own)).rowcount


def delete_ended_sessions(connection: Connection, *, now: datetime) -> int:
    """Delete the sessions that have expired; return their number."""
    return connection.execute(delete(sessions).where(sessions.c.expires_at <= now)).rowcount
