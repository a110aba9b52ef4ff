"""`notify cap`, as an operator calls it."""

from __future__ import annotations

import json
from collections.abc import Callable
from uuid import uuid4

import pytest

from notify.policies.caps import Period
from notify.store import ActFilter, Store, find_acts
from notify.store.db import read_clock
from notify.store.flow import Charge, charge_caps
from tests.support.commands import Notify

CONFIG = """
[caps.quota]
most = 2
period = "day"
per = "source"

[caps.person]
most = 5
period = "day"
per = "recipient"
"""
WHY = ("--reason", "INC-7: agreed")


@pytest.fixture(autouse=True)
def config(configure: Callable[[str], None]) -> None:
    """Configure two caps."""
    configure(CONFIG)


def _charged(store: Store) -> bool:
    """Charge one notification of crm, as a worker does."""
    with store.writing() as connection:
        starts, ends = Period.DAY.around(read_clock(connection))
        charge = Charge("quota:crm", starts, ends, 1.0, 2.0)
        return charge_caps(connection, [(uuid4(), [charge])]) == [None]


def test_more_is_allowed_in_the_current_span_and_counted_again(
    notify: Notify, store: Store
) -> None:
    """A full cap lets as many more pass as were allowed; a reset begins at 0."""
    assert [_charged(store) for _ in range(3)] == [True, True, False]
    done = notify("cap", "allow", "quota:crm", "1", *WHY)
    assert (done.code, done.out) == (0, "quota:crm: 1 of 2 used, in effect now\n")
    assert [_charged(store) for _ in range(2)] == [True, False]
    done = notify("cap", "reset", "quota:crm", *WHY)
    assert done.out == "quota:crm: 0 of 2 used, in effect now\n"
    assert _charged(store)
    rows = [json.loads(line) for line in notify("cap", "ls", "--json").out.splitlines()]
    assert [(row["name"], row["used"], row["most"]) for row in rows] == [
        ("person", None, 5.0),
        ("quota:crm", 1.0, 2.0),
    ]
    assert "quota:crm" in notify("cap", "ls").out
    with store.reading() as connection:
        acts = find_acts(connection, ActFilter(), limit=5)
    assert [(act.action, act.details) for act in acts] == [
        ("cap.reset", {"name": "quota:crm", "before": 2.0, "after": 0.0}),
        ("cap.allow", {"name": "quota:crm", "amount": 1.0, "before": 2.0, "after": 1.0}),
    ]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("none", "no cap none is configured; configured caps: person, quota"),
        ("quota", "write quota:SOURCE"),
        ("person:x", "person counts recipients, by a hash"),
    ],
)
def test_a_count_that_cannot_be_changed_is_refused(notify: Notify, name: str, why: str) -> None:
    """With what to write instead."""
    done = notify("cap", "allow", name, "1", *WHY)
    assert done.code == 2
    assert why in done.err
