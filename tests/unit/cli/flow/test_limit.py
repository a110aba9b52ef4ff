"""`notify limit`, as an operator calls it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, update

from notify.policies.ratelimit import BookingRequest, Limit
from notify.store import Store
from notify.store.audit import Actor
from notify.store.flow import limits
from notify.store.flow.bookings import book
from notify.store.tables import audit
from notify.store.tables import limits as table
from tests.support.commands import Notify

CONFIG = """
[limits.shared-account]
rate = 100.0
burst = 40.0

[limits.each-source]
rate = 5.0
per = "source"

[providers.first]
use = "providers.memory:Memory"
rate = 500.0
limits = ["shared-account"]

[providers.second]
use = "providers.memory:Memory"

[channels.email]
providers = ["first", "second"]
"""
ANN = Actor("ann@ops-1", "INC-7: go slow")
FIRST = Limit("provider:first", 500.0)


@pytest.fixture(autouse=True)
def config(configure: Callable[[str], None]) -> None:
    """Configure some limits."""
    configure(CONFIG)


def listed(notify: Notify, *options: str) -> dict[str, dict[str, Any]]:
    """Return the JSON of `ls`, by name."""
    done = notify("limit", "ls", "--json", *options)
    assert (done.code, done.err) == (0, "")
    return {each["name"]: each for each in map(json.loads, done.out.splitlines())}


def audited(store: Store) -> list[Any]:
    """Return all rows of the audit."""
    with store.reading() as connection:
        return list(connection.execute(select(audit).order_by(audit.c.id)))


def told(notify: Notify) -> dict[str, str]:
    """Return the lines of `ls`, by name."""
    done = notify("limit", "ls")
    assert (done.code, done.err) == (0, "")
    _, *lines = (" ".join(line.split()) for line in done.out.splitlines())
    return {line.split(" ", 1)[0]: line.split(" ", 1)[1] for line in lines}


@pytest.mark.usefixtures("store")
def test_all_limits_are_listed_also_those_that_nobody_used(notify: Notify) -> None:
    """Those of providers under the provider's name, also where only complaints may limit it."""
    assert told(notify) == {
        "each-source": "5 5 5 for each source",
        "provider:first": "500 500 500",
        "provider:second": "no limit",
        "shared-account": "100 40 100",
    }
    assert listed(notify)["provider:first"] == {
        "name": "provider:first",
        "per": None,
        "configured_rate": 500.0,
        "burst": 500.0,
        "rate": 500.0,
        "use": 0.0,
        "lowered": False,
        "lowered_from": None,
        "paused_seconds": 0.0,
        "set_rate": None,
        "set_until": None,
        "actor": None,
        "reason": None,
    }


def test_use_is_listed(store: Store, notify: Notify) -> None:
    """Of all workers together."""
    with store.booking() as connection:
        book(connection, FIRST, BookingRequest.of([200.0], share=1.0))
    assert listed(notify)["provider:first"]["use"] == pytest.approx(20.0, rel=0.2)


def test_a_lowered_rate_is_listed_with_its_recovery(store: Store, notify: Notify) -> None:
    """Complaints lowered it; it recovers by itself."""
    with store.writing() as connection:
        limits.cut(connection, FIRST, retry_after=None, calls_per_second=9.0)
        limits.cut(connection, Limit("provider:second"), retry_after=None, calls_per_second=100.0)
    lines = told(notify)
    assert "lowered by complaints; at 500 again in 15 s" in lines["provider:first"]
    assert "lowered by complaints; at 100 again in 15 s" in lines["provider:second"]
    found = listed(notify)["provider:first"]
    assert (found["lowered"], found["lowered_from"]) == (True, 500.0)
    assert found["rate"] == pytest.approx(350, abs=40)


def test_a_pause_is_listed_with_its_remaining_seconds(store: Store, notify: Notify) -> None:
    """And the rate that is in force after it."""
    with store.writing() as connection:
        limits.cut(connection, FIRST, retry_after=60.0, calls_per_second=9.0)
    line = told(notify)["provider:first"]
    assert line.startswith("500 500 paused paused by its provider for 60 s; lowered by")
    assert 58 < listed(notify)["provider:first"]["paused_seconds"] <= 60


def test_single_values_are_listed_if_they_differ(store: Store, notify: Notify) -> None:
    """All of them only on demand: they may be a million."""
    source = Limit("each-source:shop", 5.0)
    for name in ("each-source:shop", "each-source:crm", "retired:long-ago"):
        with store.booking() as connection:
            book(connection, Limit(name, 5.0), BookingRequest.of([1.0], share=1.0))
    with store.writing() as connection:
        limits.cut(connection, source, retry_after=None, calls_per_second=9.0)
    configured = {"each-source", "provider:first", "provider:second", "shared-account"}
    assert listed(notify).keys() == configured | {"each-source:shop"}
    both = {"each-source:shop", "each-source:crm"}
    assert listed(notify, "--all").keys() == configured | both


def test_a_rate_is_set_for_a_while_and_audited(store: Store, notify: Notify) -> None:
    """A provider's name means its own limit; the list shows operator, end and reason."""
    done = notify("limit", "set", "first", "50", "--for", "30m", "--reason", "INC-7: go slow")
    assert (done.code, done.err) == (0, "")
    first, last = done.out.splitlines()
    assert first.startswith("provider:first is at 50 a second (set by ann@")
    assert first.endswith(" UTC: INC-7: go slow)")
    assert last == "in effect on all workers within 2 seconds"
    found = listed(notify)["provider:first"]
    assert (found["rate"], found["set_rate"], found["reason"]) == (50.0, 50.0, "INC-7: go slow")
    assert found["actor"].startswith("ann@")
    (row,) = audited(store)
    assert (row.action, row.reason) == ("limit.set", "INC-7: go slow")
    assert row.details == {"name": "provider:first", "rate": 50.0, "seconds": 1800.0}
    with store.writing() as connection:
        connection.execute(update(table).values(set_until=1.0))
    found = listed(notify)["provider:first"]
    assert (found["rate"], found["set_rate"], found["actor"]) == (500.0, None, None)


def test_a_rate_without_end_is_in_force_until_it_is_reset(store: Store, notify: Notify) -> None:
    """Also above the configured rate, and for one value of a limit."""
    done = notify("limit", "set", "each-source:shop", "90", "--reason", "launch", "--json")
    assert done.code == 0
    found = json.loads(done.out)
    assert (found["name"], found["rate"], found["set_until"]) == ("each-source:shop", 90.0, None)
    assert "until it is reset: launch" in told(notify)["each-source:shop"]
    done = notify("limit", "reset", "each-source:shop", "--reason", "over")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("each-source:shop is at 5 a second\n")
    assert [row.action for row in audited(store)] == ["limit.set", "limit.reset"]
    assert audited(store)[1].details == {"names": ["each-source:shop"]}


def test_a_reset_ends_a_set_rate_a_pause_and_a_recovery(store: Store, notify: Notify) -> None:
    """A pause, a lowered rate, a rate that was set."""
    with store.writing() as connection:
        limits.cut(connection, FIRST, retry_after=600.0, calls_per_second=9.0)
        limits.set_rate(connection, "provider:first", 7.0, seconds=None, actor=ANN)
    done = notify("limit", "reset", "first", "shared-account", "--reason", "they are well again")
    assert done.code == 0
    assert done.err == "shared-account was as configured already\n"
    assert told(notify)["provider:first"] == "500 500 500"
    (row,) = audited(store)
    assert row.details == {"names": ["provider:first"]}


def test_a_reset_of_a_limit_as_configured_is_not_audited(store: Store, notify: Notify) -> None:
    """Nothing was done."""
    done = notify("limit", "reset", "first", "--reason", "to be sure")
    assert (done.code, done.err) == (0, "provider:first was as configured already\n")
    assert audited(store) == []


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("words", "error"),
    [
        (
            ("set", "third", "5", "--reason", "x"),
            "no limit third is configured; configured limits: each-",
        ),
        (("set", "shared-account:x", "5", "--reason", "x"), "no limit shared-account:x is"),
        (("set", "each-source:", "5", "--reason", "x"), "no limit each-source: is configured"),
        (("set", "first", "0", "--reason", "x"), "is not in the range 0<x<="),
        (("set", "first", "nan", "--reason", "x"), "nan is not a number"),
        (("set", "first", "5"), "Missing option '--reason'"),
        (("set", "first", "5", "--reason", " "), "--reason is empty"),
        (("set", "first", "5", "--reason", "x", "--for", "soon"), "is not a span of time"),
        (("reset", "third", "--reason", "x"), "no limit third is configured"),
        (("reset", "--reason", "x"), "Missing argument 'NAME...'"),
    ],
)
def test_a_usage_error_changes_nothing(
    notify: Notify, store: Store, words: tuple[str, ...], error: str
) -> None:
    """It is a usage error that names the mistake."""
    done = notify("limit", *words)
    assert done.code == 2
    assert error in done.err
    with store.reading() as connection:
        assert list(connection.execute(select(table))) == []
    assert audited(store) == []
