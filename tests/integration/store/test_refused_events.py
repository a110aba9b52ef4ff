"""The events for a source about its refused messages, on both databases."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from notify.arrival import Arrival
from notify.contract import Incoming, Limits
from notify.contract.refusal import RefusedEvent, refused_schema
from notify.deadletters import Archive
from notify.deadletters.refused import MOST, MOST_OF_A_SOURCE, EventAllowance, addressee
from notify.relays import RefusedRows
from notify.relays.relay import RELAY_LEASE
from notify.store import Store
from notify.store.privacy.erasure import Person
from notify.store.privacy.letter_erasure import erase_letters
from notify.store.relays.refused import (
    PendingRefusal,
    lease_refused,
    mark_refused_published,
    release_refused,
)
from notify.telemetry.metrics import Metrics, catalog
from notify.topology import EVENTS
from tests.support.burying import LANES, LIMITS, arrival, body_of, buried, bury, died
from tests.support.recording import NOW, answer_to, asked, call_for

SECRET = "ann_smith@example.com"


def taken(store: Store, *, after: timedelta = timedelta(0)) -> list[PendingRefusal]:
    """The bound of a process's publications."""
    with store.writing() as connection:
        return lease_refused(connection, now=NOW + after, lease=RELAY_LEASE, limit=200)


def told(store: Store, *arrivals: Arrival) -> list[RefusedEvent]:
    """The events about messages that died."""
    bury(store, *arrivals)
    return [
        RefusedEvent.model_validate_json(RefusedRows().outgoing(each).body) for each in taken(store)
    ]


def lost(body: bytes, key: str) -> Arrival:
    """A message that matched no queue."""
    return arrival(body, key=key, exchange="notify.work", headers={})


def test_a_source_learns_where_its_message_is_wrong_why_and_what_to_do(store: Store) -> None:
    """As `notify lint` says it, with the id and without any value."""
    id_ = uuid4()
    body = body_of(id_, to=SECRET + "@", ann_smith="x", metadata={"ann_smith": 1}, tempalte="x")
    bury(store, arrival(body, message_id="order-17"))
    (waiting,) = taken(store)
    message = RefusedRows().outgoing(waiting)
    assert (message.exchange, message.routing_key) == (EVENTS, "email.refused.shop")
    assert b"ann_smith" not in message.body
    event = RefusedEvent.model_validate_json(message.body)
    assert message.message_id == str(event.event_id)
    assert (event.id, event.message_id, event.cause) == (id_, "order-17", "contract")
    found = {(each.where, each.why) for each in event.problems}
    assert ("to", "not an email address") in found
    assert ("metadata.*", "must be a string") in found
    assert ("*", "unknown field, did you mean `template`?") in found
    assert all(each.hint for each in event.problems)
    assert set(json.loads(message.body)) == set(refused_schema()["properties"])


def test_broken_json_is_told_with_its_place_and_the_message_id(store: Store) -> None:
    """There is no id to read in it."""
    (event,) = told(store, arrival(b'{\n  "to": }', message_id="order-17"))
    (problem,) = event.problems
    assert (event.id, event.message_id) == (None, "order-17")
    assert (problem.line, problem.column) == (2, 9)


def test_a_conflict_is_told(store: Store) -> None:
    """The request under its key is another one, and it was never sent."""
    id_ = uuid4()
    answer_to(store, call_for(asked(id=id_)))
    (event,) = told(store, arrival(body_of(id_)))
    assert (event.id, event.cause) == (id_, "conflict")
    assert "another request" in event.problems[0].why


def test_an_unknown_lane_names_the_lanes(store: Store) -> None:
    """In the event and in the letter's reason; what else is wrong is told at once."""
    (event,) = told(store, lost(body_of(uuid4(), text=None), "email.urgent.shop"))
    assert (event.routing_key, event.lane, event.cause) == (
        "email.refused.shop",
        "urgent",
        "unroutable",
    )
    lane, text = event.problems
    assert lane.why == "no queue was bound for its key: there is no such lane"
    assert lane.hint == "the lanes are critical, normal, bulk"
    assert text.where == "text"
    (letter,) = bury(store)
    assert "the lanes are critical, normal, bulk" in (letter.reason or "")


@pytest.mark.parametrize(
    ("key", "routing_key", "why"),
    [
        ("email.normal.Shop", "none.refused.shop", "a source that is not in lower case"),
        ("Email.normal.shop", "none.refused.shop", "a channel that is not in lower case"),
        ("email.Normal.shop", "none.refused.shop", "a lane that is not in lower case"),
        ("fax.normal.shop", "none.refused.shop", "a channel that does not exist"),
        ("email.shop", "none.refused.shop", "is not <channel>.<lane>.<source>"),
    ],
)
def test_a_broken_key_is_told_to_the_source_that_it_means(
    store: Store, key: str, routing_key: str, why: str
) -> None:
    """A queue of the source's is bound by its name in lower-case letters."""
    (event,) = told(store, lost(body_of(uuid4()), key))
    assert event.routing_key == routing_key
    assert why in event.problems[0].why


def test_who_is_told_is_who_published() -> None:
    """The broker vouches for a user; a key may name another source."""
    strict = Limits(1, 1, require_user_id=True, trusted_users=frozenset({"notify"}))
    loose = Limits(1, 1, require_user_id=False, trusted_users=frozenset({"notify"}))

    def found(limits: Limits, key: str, user: str | None) -> str | None:
        return addressee(Incoming(b"", key, user_id=user), limits)

    assert found(strict, "email.normal.bank", "shop") == "shop"
    assert found(strict, "email.normal.bank", "notify") == "bank"
    assert found(strict, "email.normal.bank", None) == "bank"
    assert found(loose, "email.normal.bank", "producers") == "bank"
    assert found(loose, "email.bank.v2.x.", "shop") == "shop"
    assert found(loose, "email.normal.", None) is None
    assert found(loose, "email.normal.a@b", None) is None


@pytest.mark.parametrize("reason", ["delivery_limit", "maxlen", "expired"])
def test_what_is_no_fault_of_the_message_is_not_refused(store: Store, reason: str) -> None:
    """An operator replays it; its source has nothing to correct."""
    assert told(store, arrival(body_of(uuid4()), headers=died(reason))) == []


def test_a_letter_is_told_once_however_often_it_comes(store: Store) -> None:
    """Also while its event waits, and after it was published."""
    letter = arrival(b"[]")
    bury(store, letter, letter)
    (waiting,) = taken(store)
    bury(store, letter)
    assert taken(store) == []
    assert taken(store, after=RELAY_LEASE) == [waiting], "whoever had it never came back"
    with store.writing() as connection:
        release_refused(connection, [waiting])
    assert taken(store) == [waiting]
    with store.writing() as connection:
        mark_refused_published(connection, [waiting])
    bury(store, letter)
    assert taken(store, after=2 * RELAY_LEASE) == []


def test_a_flood_of_one_source_is_bounded_and_counted(store: Store) -> None:
    """Other sources get events, all letters are archived, and the next minute starts from zero."""
    metrics = Metrics()
    allowance = EventAllowance(metrics)
    given = [allowance.acquire("shop", now=NOW) for _ in range(MOST_OF_A_SOURCE + 5)]
    assert given.count(True) == MOST_OF_A_SOURCE
    assert allowance.acquire("bank", now=NOW)
    assert not allowance.acquire(None, now=NOW)
    later = NOW + timedelta(minutes=1)
    assert allowance.acquire("shop", now=later)
    given = [allowance.acquire(f"s{n}", now=later) for n in range(MOST + 50)]
    assert given.count(True) == MOST - 1
    text = metrics.text().decode()
    name = catalog.REFUSED_EVENTS_DROPPED.name
    assert f'{name}{{why="flood"}} 56.0' in text
    assert f'{name}{{why="no_source"}} 1.0' in text
    arrivals = [arrival(b"%d" % n) for n in range(MOST_OF_A_SOURCE + 5)]
    assert len(told(store, *arrivals)) == MOST_OF_A_SOURCE
    assert len(bury(store)) == MOST_OF_A_SOURCE + 5


def test_a_transaction_that_fails_spends_no_allowance(store: Store) -> None:
    """An outage, or one letter that the record refuses, would silence a source for a minute."""
    archive = Archive(store, limits=LIMITS, delivery_limits=LANES, clock=lambda: NOW)
    refused = [arrival(b"%d" % n) for n in range(MOST_OF_A_SOURCE - 1)]
    twice = [arrival(b"%d" % n, message_id="order-17") for n in range(1000, 1002)]
    with store.writing() as connection:
        # The record refuses one of the two, and with it the whole transaction.
        connection.execute(text("CREATE UNIQUE INDEX once ON dead_letters (message_id)"))
    try:
        assert archive.deliver([*twice, *refused])
    finally:
        with store.writing() as connection:
            connection.execute(text("DROP INDEX once"))
    assert len(buried(store)) == MOST_OF_A_SOURCE + 1
    assert len(taken(store)) == MOST_OF_A_SOURCE


def test_what_is_erased_is_not_told(store: Store) -> None:
    """The message id may have been a person's address."""
    (letter,) = bury(store, arrival(b"[]", message_id=SECRET))
    with store.writing() as connection:
        erase_letters(connection, Person(SECRET), [letter.id], now=NOW)
    assert taken(store) == []


def test_everything_that_stands_in_an_event_is_described() -> None:
    """Subscribers in other languages build their types from it."""
    properties: dict[str, Any] = refused_schema()["properties"]
    assert all("description" in one for one in properties.values())
