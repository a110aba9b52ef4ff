"""Local users: added, listed, removed, and given a new password."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from notify.errors import NotifyError
from notify.people.passwords import LONGEST_PASSWORD, SHORTEST_PASSWORD, Passwords
from notify.people.roles import Role
from notify.store import Actor, Store, write_audit
from notify.store.people import (
    PersonRow,
    change_password,
    delete_person,
    delete_sessions_of,
    find_people,
    insert_person,
    person_named,
)

LONGEST_LIST = 1000
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


@dataclass(frozen=True, slots=True)
class Account:
    """A local user, without the password's hash."""

    name: str
    role: Role
    created_at: datetime
    changed_at: datetime
    """When the password was last set."""


def add_account(
    store: Store, name: str, *, role: Role, password: str, actor: Actor, passwords: Passwords
) -> None:
    """
    Add a local user.

    Raises:
        NotifyError: The name or the password is unfit, or the name is in use.
    """
    if not _NAME.fullmatch(name):
        raise NotifyError(
            "a user's name is a-z, 0-9, '.', '-' and '_', begins with a letter or digit, and has at"
            " most 63 characters"
        )
    _check_password(password)
    hashed, now = passwords.hash(password), store.clock()
    with store.writing() as connection:
        if person_named(connection, name) is not None:
            raise NotifyError(f"the user {name} exists already; `notify user password` changes it")
        insert_person(connection, PersonRow(name, role.value, hashed, now, now))
        details = {"user": name, "role": role.value}
        write_audit(connection, actor, "user.add", details=details, at=now)


def list_accounts(store: Store) -> list[Account]:
    """Return the local users by name, at most `LONGEST_LIST`."""
    with store.reading() as connection:
        found = find_people(connection, limit=LONGEST_LIST)
    return [Account(each.name, Role(each.role), each.created_at, each.changed_at) for each in found]


def remove_account(store: Store, name: str, *, actor: Actor) -> None:
    """
    Remove a local user, and end the user's sessions.

    Raises:
        NotifyError: There is no such user.
    """
    now = store.clock()
    with store.writing() as connection:
        if not delete_person(connection, name):
            raise _unknown(name)
        ended = delete_sessions_of(connection, name)
        details = {"user": name, "sessions_ended": ended}
        write_audit(connection, actor, "user.remove", details=details, at=now)


def set_password(
    store: Store, name: str, *, password: str, actor: Actor, passwords: Passwords
) -> None:
    """
    Set a local user's password, and end the user's sessions.

    Raises:
        NotifyError: There is no such user, or the password is too short.
    """
    _check_password(password)
    hashed, now = passwords.hash(password), store.clock()
    with store.writing() as connection:
        if not change_password(connection, name, hashed, at=now):
            raise _unknown(name)
        ended = delete_sessions_of(connection, name)
        details = {"user": name, "sessions_ended": ended}
        write_audit(connection, actor, "user.password", details=details, at=now)


def _check_password(password: str) -> None:
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise NotifyError(
            f"a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters; take several"
            " words, or a password manager's"
        )


def _unknown(name: str) -> NotifyError:
    return NotifyError(f"there is no user {name!r}; `notify user ls` lists them")
