"""`notify user`: the console's local users, and the audit of what operators change."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable

import pytest

from notify.people import Passwords, Sessions
from notify.store import ActFilter, Store, find_acts
from tests.support.commands import Notify

PASSWORD = "correct horse battery"
WHY = ("--reason", "ticket 4711")

pytestmark = pytest.mark.usefixtures("three_providers")


def acts(store: Store) -> list[str]:
    """The operators' acts on record, the newest first."""
    with store.reading() as connection:
        return [act.action for act in find_acts(connection, ActFilter(), limit=50)]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Set the standard input of the next command."""
    return lambda text: monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_a_user_is_added_listed_and_removed(
    notify: Notify, store: Store, typed: Callable[[str], None]
) -> None:
    """The password opens a session, which ends with a new password, and the user with removal."""
    sessions = Sessions(store, passwords=Passwords())
    typed(f"{PASSWORD}\n")
    added = notify("user", "add", "ann", "--role", "operator", *WHY)
    assert (added.code, added.out) == (0, "user ann is added, with the role operator\n"), added.err
    assert PASSWORD not in added.out + added.err
    listed = json.loads(notify("user", "ls", "--json").out)
    assert (listed["name"], listed["role"]) == ("ann", "operator")
    assert "password_hash" not in listed
    start = sessions.sign_in("ann", PASSWORD)
    assert start is not None
    assert sessions.find(start.token) == start.user

    typed("another long password\n")
    assert notify("user", "password", "ann", *WHY).code == 0
    assert sessions.find(start.token) is None
    assert sessions.sign_in("ann", PASSWORD) is None

    assert notify("user", "rm", "ann", *WHY).code == 0
    assert sessions.sign_in("ann", "another long password") is None
    assert acts(store) == ["user.remove", "user.password", "console.sign_in", "user.add"]


@pytest.mark.parametrize(
    ("arguments", "password", "part"),
    [
        (("add", "Ann", "--role", "viewer", *WHY), PASSWORD, "a user's name is a-z"),
        (("add", "ann", "--role", "viewer", *WHY), "short", "12 to 1024 characters"),
        (("add", "ann", "--role", "viewer", *WHY), "", "no password on standard input"),
        (("rm", "ann", *WHY), "", "there is no user 'ann'"),
        (("password", "ann", *WHY), PASSWORD, "there is no user 'ann'"),
        (("add", "ann", "--role", "viewer", "--reason", " "), PASSWORD, "--reason is empty"),
    ],
)
def test_a_refusal_says_what_to_do(
    notify: Notify,
    store: Store,
    typed: Callable[[str], None],
    arguments: tuple[str, ...],
    password: str,
    part: str,
) -> None:
    """And nothing is on record."""
    typed(password)
    refused = notify("user", *arguments)
    assert refused.code != 0
    assert part in refused.err
    assert acts(store) == []
