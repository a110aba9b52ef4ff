"""`notify audit`, as a person or a script calls it."""

from __future__ import annotations

import json

import pytest

from notify.store import Store
from notify.store.audit import Actor, write_audit
from tests.support.commands import Notify
from tests.support.recording import NOW


@pytest.fixture(autouse=True)
def _acts(store: Store) -> None:
    with store.writing() as connection:
        for number in range(3):
            who = Actor("ann@ops-1", f"INC-{number}")
            details = {"provider": "sendgrid", "seconds": None, "number": number}
            write_audit(connection, who, "breaker.open", details=details, at=NOW)


def test_the_list_shows_actor_action_object_and_reason(notify: Notify) -> None:
    """A line each, the newest first."""
    done = notify("audit")
    title, *lines = done.out.splitlines()
    assert title.split() == ["at", "(UTC)", "actor", "action", "details", "reason"]
    assert [line.split()[-1] for line in lines] == ["INC-2", "INC-1", "INC-0"]
    assert "2025-01-02 03:04:05  ann@ops-1  breaker.open  provider sendgrid, number 2" in lines[0]


def test_programs_read_an_object_a_line(notify: Notify) -> None:
    """With the details as they were written, and the same note on omitted rows."""
    done = notify("audit", "--json", "--limit", 2)
    first, second = map(json.loads, done.out.splitlines())
    assert (first["reason"], second["reason"]) == ("INC-2", "INC-1")
    assert first["details"] == {"provider": "sendgrid", "seconds": None, "number": 2}
    assert first["at"] == NOW.isoformat()
    assert "only the newest 2 are listed" in done.err


def test_filters_are_joined_and_an_empty_list_is_reported(notify: Notify) -> None:
    """Exit code 0, as of any list."""
    assert notify("audit", "--actor", "ann", "--object", "sendgrid", "--action", "breaker").out
    assert notify("audit", "--until", "1d").out
    assert not notify("audit", "--since", "1d").out
    done = notify("audit", "--actor", "bob")
    assert (done.code, done.out, done.err) == (0, "", "nothing in the audit matches\n")
