"""Users and sessions on both databases, and the limit on the time of the console's statements."""

from __future__ import annotations

from contextlib import closing, suppress
from datetime import timedelta

import pytest
from argon2 import PasswordHasher
from sqlalchemy import delete, func, select, text, update

from notify.errors import NotifyError, StoreError
from notify.people import (
    Account,
    Passwords,
    Role,
    Sessions,
    SignedIn,
    add_account,
    list_accounts,
    remove_account,
    set_password,
)
from notify.store import ActFilter, Actor, Store, find_acts
from notify.store.db import connect
from notify.store.people import SessionRow, insert_session
from notify.store.tables import people, sessions
from tests.support.patience import PATIENCE
from tests.support.rig import until

ANN = Actor("ann@ops-1", "ticket 4711")
PASSWORD = "correct horse battery"
QUICK = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


def _add(store: Store, name: str, role: Role = Role.VIEWER) -> None:
    add_account(store, name, role=role, password=PASSWORD, actor=ANN, passwords=QUICK)


def _count(store: Store) -> int:
    with store.reading() as connection:
        return connection.execute(select(func.count()).select_from(sessions)).scalar_one()


def test_a_session_has_the_role_that_its_user_has_now(store: Store) -> None:
    """A role that is changed in the record counts at once; a removed user's session is over."""
    _add(store, "ann", Role.ADMIN)
    held = Sessions(store, passwords=QUICK)
    start = held.sign_in("ann", PASSWORD)
    assert start is not None
    assert held.find(start.token) == SignedIn("ann", Role.ADMIN, "password")
    with store.writing() as connection:
        connection.execute(update(people).values(role="viewer"))
    assert held.find(start.token) == SignedIn("ann", Role.VIEWER, "password")
    with store.writing() as connection:
        connection.execute(delete(people))
    assert held.find(start.token) is None


@pytest.mark.parametrize("act", ["password", "remove"])
def test_a_sign_in_in_progress_does_not_outlive_the_end_of_its_password(
    store: Store, act: str
) -> None:
    """The check takes time: a password that is changed in it begins no session."""
    _add(store, "ann")

    class Slow(Passwords):
        def matches(self, password: str, stored: str | None) -> bool:
            found = super().matches(password, stored)
            if act == "remove":
                remove_account(store, "ann", actor=ANN)
            else:
                new = "another correct horse"
                set_password(store, "ann", password=new, actor=ANN, passwords=QUICK)
            return found

    slow = Slow(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    assert Sessions(store, passwords=slow).sign_in("ann", PASSWORD) is None
    assert _count(store) == 0


def test_a_user_of_single_sign_on_is_another_user(store: Store) -> None:
    """Of the same name as a local one: neither role nor removal of the one concerns the other."""
    _add(store, "ann", Role.VIEWER)
    held = Sessions(store, passwords=QUICK)
    single = held.begin(SignedIn("ann", Role.ADMIN, "oidc"))
    assert held.find(single.token) == SignedIn("ann", Role.ADMIN, "oidc")
    remove_account(store, "ann", actor=ANN)
    assert held.find(single.token) == SignedIn("ann", Role.ADMIN, "oidc")
    held.end(single.token, single.user)
    assert held.find(single.token) is None
    with store.reading() as connection:
        acts = [(act.actor, act.action) for act in find_acts(connection, ActFilter(), limit=10)]
    assert acts[0] == ("oidc:ann@console", "console.sign_out")


def test_a_session_ends_after_its_time_and_its_row_is_deleted(store: Store) -> None:
    """At the next sign-in of any user: no other job is needed."""
    held = Sessions(store, passwords=QUICK)
    now = store.clock()
    old = SessionRow("ann", "oidc", "viewer", now - timedelta(seconds=1))
    with store.writing() as connection:
        insert_session(connection, b"x" * 32, old, now=now - timedelta(hours=8))
    assert _count(store) == 1
    held.begin(SignedIn("bob", Role.VIEWER, "oidc"))
    assert _count(store) == 1


def test_a_new_password_ends_the_sessions_of_the_old_one(store: Store) -> None:
    """And names, roles and times are listed without the hash."""
    _add(store, "ann")
    held = Sessions(store, passwords=QUICK)
    start = held.sign_in("ann", PASSWORD)
    assert start is not None
    set_password(store, "ann", password="another long one", actor=ANN, passwords=QUICK)
    assert held.find(start.token) is None
    assert held.sign_in("ann", PASSWORD) is None
    assert held.sign_in("ann", "another long one") is not None
    (listed,) = list_accounts(store)
    assert isinstance(listed, Account)
    assert (listed.name, listed.role) == ("ann", Role.VIEWER)


def test_two_users_cannot_have_one_name(store: Store) -> None:
    """The second is refused, and the first stays as it is."""
    _add(store, "ann", Role.ADMIN)
    with pytest.raises(NotifyError, match="exists already"):
        _add(store, "ann")
    assert [each.role for each in list_accounts(store)] == [Role.ADMIN]


def test_an_old_hash_is_renewed_at_the_next_sign_in(store: Store) -> None:
    """When argon2's recommended cost has grown, the password stays."""
    _add(store, "ann")
    dearer = Passwords(PasswordHasher(time_cost=2, memory_cost=8, parallelism=1))
    held = Sessions(store, passwords=dearer)
    assert held.sign_in("ann", PASSWORD) is not None
    with store.reading() as connection:
        hashed: str = connection.execute(select(people.c.password_hash)).scalar_one()
    assert "t=2" in hashed
    assert held.sign_in("ann", PASSWORD) is not None


def _bounded(url: str, *, seconds: float) -> Store:
    """Open a store as the console does, whose statements may take so long."""
    return Store(connect(url, pool_size=3, statement_timeout=seconds))


_SLOW = """
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000000)
SELECT count(*) FROM n
"""


def test_a_slow_statement_is_stopped_and_a_later_one_works(migrated_url: str) -> None:
    """Looking must not slow the delivery; the text says what happened."""
    with closing(_bounded(migrated_url, seconds=0.3)) as store:

        def answers() -> bool:
            # A busy machine may need longer than the limit for this one too.
            with suppress(StoreError), store.reading() as connection:
                return connection.execute(text("SELECT 1")).scalar_one() == 1
            return False

        until(answers)
        with (
            pytest.raises(StoreError, match="a statement took longer than it may"),
            store.reading() as connection,
        ):
            connection.execute(text(_SLOW))
        for _ in range(3):
            until(answers)


def test_no_more_connections_are_opened(migrated_url: str) -> None:
    """Three at once; the fourth waits, and fails with an error that a page shows."""
    with (
        closing(_bounded(migrated_url, seconds=PATIENCE)) as store,
        store.reading(),
        store.reading(),
        store.reading(),
        pytest.raises(StoreError),
        store.reading(),
    ):
        pass
