"""Reading the audit, on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from notify.store import Store
from notify.store.audit import Actor, write_audit
from notify.store.audit_search import ActFilter, find_acts
from tests.support.recording import NOW

ANN, BOB = Actor("ann@ops-1", "INC-7"), Actor("Bob@ops-2", "INC-9: 100% of it")


@pytest.fixture
def acts(store: Store) -> Store:
    """Five acts, a minute apart; the fourth mentions `sendgrid` within another name."""
    done: list[tuple[Actor, str, dict[str, Any]]] = [
        (ANN, "breaker.open", {"provider": "sendgrid", "seconds": 1800}),
        (ANN, "dead.replay", {"letters": [17, 18], "rate": 10.0}),
        (BOB, "hold", {"channel": "sms", "id": 3}),
        (BOB, "limit.set", {"name": "sendgrid-eu", "rate": 17}),
        (BOB, "breaker.auto", {"provider": "SendGrid", "seconds": None}),
    ]
    with store.writing() as connection:
        for minute, (actor, action, details) in enumerate(done):
            at = NOW + timedelta(minutes=minute)
            write_audit(connection, actor, action, details=details, at=at)
    return store


@pytest.mark.parametrize(
    ("wanted", "actions"),
    [
        ({}, ["breaker.auto", "limit.set", "hold", "dead.replay", "breaker.open"]),
        ({"actor": "ann"}, ["dead.replay", "breaker.open"]),
        ({"actor": "ANN@ops-1"}, ["dead.replay", "breaker.open"]),
        ({"actor": "an"}, []),
        ({"actor": "%"}, []),
        ({"action": "breaker"}, ["breaker.auto", "breaker.open"]),
        ({"action": "dead.replay"}, ["dead.replay"]),
        ({"action": "break"}, []),
        ({"object": "sendgrid"}, ["breaker.auto", "breaker.open"]),
        ({"object": "17"}, ["limit.set", "dead.replay"]),
        ({"object": "7"}, []),
        ({"object": "provider"}, []),
        ({"since": NOW + timedelta(minutes=3)}, ["breaker.auto", "limit.set"]),
        ({"until": NOW + timedelta(minutes=1)}, ["breaker.open"]),
        ({"since": timedelta(days=1)}, []),
        (
            {"until": timedelta(days=1)},
            ["breaker.auto", "limit.set", "hold", "dead.replay", "breaker.open"],
        ),
        ({"actor": "bob", "object": "sendgrid"}, ["breaker.auto"]),
    ],
    ids=str,
)
def test_the_audit_is_read_by_time_actor_action_and_object(
    acts: Store, wanted: dict[str, Any], actions: list[str]
) -> None:
    """The newest first; what matches half of a name is another one."""
    with acts.reading() as connection:
        found = find_acts(connection, ActFilter(**wanted), limit=10)
    assert [each.action for each in found] == actions


def test_the_newest_are_read_where_there_are_more(acts: Store) -> None:
    """With all that was written."""
    with acts.reading() as connection:
        (act,) = find_acts(connection, ActFilter(object="sms"), limit=1)
        newest = find_acts(connection, ActFilter(), limit=2)
    assert (act.actor, act.reason, act.details) == (
        "Bob@ops-2",
        BOB.reason,
        {"channel": "sms", "id": 3},
    )
    assert [each.action for each in newest] == ["breaker.auto", "limit.set"]
