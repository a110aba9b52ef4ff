"""`notify breaker history`, as a person or a script calls it."""

from __future__ import annotations

import json

import pytest

from notify.store import Store
from tests.support.commands import Notify

pytestmark = pytest.mark.usefixtures("three_providers")


@pytest.mark.usefixtures("store")
def test_history_lists_changes_of_circuits(notify: Notify) -> None:
    """A line each for people, an object each for programs, the newest first."""
    why = ("--reason", "their maintenance")
    assert notify("breaker", "open", "first", *why).code == 0
    assert notify("breaker", "close", "second", *why).code == 0
    title, newest, oldest = notify("breaker", "history").out.splitlines()
    assert title.split() == ["at", "(UTC)", "provider", "from", "to", "why"]
    assert newest.split()[2:6] == ["second", "closed", "closed", "(forced)"]
    assert oldest.split()[2:6] == ["first", "closed", "open", "(forced)"]
    assert "ann@" in oldest
    assert oldest.endswith("their maintenance")
    (line,) = notify("breaker", "history", "first", "--since", "1h", "--json").out.splitlines()
    told = json.loads(line)
    assert (told["provider"], told["state_before"], told["mode"]) == ("first", "closed", "open")
    assert told["reason"] == "their maintenance"
    assert "only the newest 1" in notify("breaker", "history", "--limit", 1).err


def test_an_empty_list_is_reported(notify: Notify, store: Store) -> None:
    """Exit code 0, as of any list."""
    assert store.revision()
    done = notify("breaker", "history", "--state", "half_open")
    assert (done.code, done.out, done.err) == (0, "", "no change of a circuit matches\n")
