"""Sessions: a random token in the browser, and its hash on record."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection

from notify.people.passwords import Passwords
from notify.people.roles import Role
from notify.store import Actor, Store, write_audit
from notify.store.people import (
    PASSWORD,
    SessionRow,
    delete_ended_sessions,
    delete_session,
    has_people,
    insert_session,
    person_named,
    rehash_password,
    session_with,
)

SESSION_LASTS = timedelta(hours=8)
"""A session ends then, used or not."""
_BYTES = 32
_TOKEN_LENGTH = 43


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A user who has signed in."""

    name: str
    role: Role
    via: str
    """How: `password`, `oidc` or `proxy`."""

    @property
    def actor_name(self) -> str:
        """The name in the audit; a name of another system cannot pass for a local user's."""
        prefix = "" if self.via == PASSWORD else f"{self.via}:"
        return f"{prefix}{self.name}@console"

    def actor(self, reason: str) -> Actor:
        """Return the actor of an act, with the reason that the user gave."""
        return Actor(self.actor_name, reason)


@dataclass(frozen=True, slots=True)
class SessionStart:
    """A new session: its user, and its token, which only the browser keeps."""

    user: SignedIn
    token: str


class Sessions:
    """Begins, finds and ends sessions. Thread-safe."""

    def __init__(self, store: Store, *, passwords: Passwords) -> None:
        self._store = store
        self._passwords = passwords

    def any_local_user(self) -> bool:
        """Return whether any local user could sign in."""
        with self._store.reading() as connection:
            return has_people(connection)

    def sign_in(self, name: str, password: str) -> SessionStart | None:
        """Begin a session of a local user; None if the name or the password is wrong."""
        with self._store.reading() as connection:
            person = person_named(connection, name)
        stored = person.password_hash if person else None
        if not self._passwords.matches(password, stored) or stored is None:
            return None
        after = self._passwords.hash(password) if self._passwords.outdated(stored) else stored
        with self._store.writing() as connection:
            person = person_named(connection, name, lock=True)
            if person is None or person.password_hash != stored:
                # Removed or changed since it was read, which ended the sessions before this one.
                return None
            if after != stored:
                rehash_password(connection, name, before=stored, after=after)
            return self._begin(connection, SignedIn(name, Role(person.role), PASSWORD))

    def begin(self, user: SignedIn) -> SessionStart:
        """Begin a session of a user who has proven the identity; delete sessions that ended."""
        with self._store.writing() as connection:
            return self._begin(connection, user)

    def _begin(self, connection: Connection, user: SignedIn) -> SessionStart:
        token, now = secrets.token_urlsafe(_BYTES), self._store.clock()
        row = SessionRow(user.name, user.via, user.role.value, now + SESSION_LASTS)
        delete_ended_sessions(connection, now=now)
        insert_session(connection, _hash(token), row, now=now)
        details = {"role": user.role.value, "via": user.via}
        actor = user.actor("sign-in")
        write_audit(connection, actor, "console.sign_in", details=details, at=now)
        return SessionStart(user, token)

    def find(self, token: str) -> SignedIn | None:
        """Return the user of a session; None if it does not exist or has ended."""
        if len(token) != _TOKEN_LENGTH or not token.isascii():
            return None
        with self._store.reading() as connection:
            row = session_with(connection, _hash(token), now=self._store.clock())
        return None if row is None else SignedIn(row.name, Role(row.role), row.via)

    def end(self, token: str, user: SignedIn) -> None:
        """End a session."""
        now = self._store.clock()
        with self._store.writing() as connection:
            delete_session(connection, _hash(token))
            actor = user.actor("sign-out")
            write_audit(connection, actor, "console.sign_out", details={}, at=now)


def _hash(token: str) -> bytes:
    # Not slow like a password's: the token is random and long.
    return hashlib.sha256(token.encode()).digest()
