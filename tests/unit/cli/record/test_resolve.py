"""`notify resolve`, as an operator calls it."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from notify.ledger.ledger import GRACE, Doubt, build_ledger
from notify.message import Outcome, Status
from notify.store import Store, Story
from notify.store.tables import audit
from tests.support.commands import Notify
from tests.support.recording import LEASE, accepted, begin

PARKED = {"outcome": Outcome.UNKNOWN, "status": Status.UNKNOWN, "provider_id": None}


@pytest.fixture(autouse=True)
def _ann(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make ann the operator."""
    monkeypatch.setenv("SUDO_USER", "ann")


def parked(store: Store) -> UUID:
    """A notification that waits for a person."""
    entry = begin(store)
    store.record([accepted(entry, **PARKED)])
    return entry.notification.id


def story(store: Store, id_: UUID) -> Story:
    """All that is on record of it."""
    found = store.get(id_)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("option", "status", "outcome", "duplicate"),
    [
        ("--sent", Status.SENT, Outcome.ACCEPTED, False),
        ("--not-sent", Status.QUEUED, Outcome.NOT_SENT, False),
        ("--resend", Status.QUEUED, Outcome.UNKNOWN, True),
    ],
)
def test_a_decision_is_carried_out_and_kept_in_the_audit(
    store: Store, notify: Notify, option: str, status: Status, outcome: Outcome, duplicate: bool
) -> None:
    """With operator and reason; only `--resend` marks a possible duplicate."""
    id_ = parked(store)
    done = notify("resolve", id_, option, "--reason", "asked her")
    assert (done.code, done.err) == (0, "")
    assert str(id_) in done.out
    told = story(store, id_)
    assert (told.status, told.attempts[0].outcome) == (status, outcome)
    assert told.summary.possible_duplicate is duplicate
    with store.reading() as connection:
        (row,) = connection.execute(select(audit)).all()
    assert row.actor.startswith("ann@")
    assert (row.action, row.reason) == ("resolve", "asked her")
    assert row.details == {"id": str(id_), "finding": option.removeprefix("--")}


@pytest.mark.parametrize(
    ("option", "status", "outcome", "duplicate"),
    [
        ("--sent", Status.SENT, Outcome.ACCEPTED, False),
        ("--not-sent", Status.QUEUED, Outcome.NOT_SENT, False),
        ("--resend", Status.QUEUED, Outcome.UNKNOWN, True),
    ],
)
def test_a_call_that_no_worker_will_record_is_decided_on(
    store: Store, notify: Notify, option: str, status: Status, outcome: Outcome, duplicate: bool
) -> None:
    """33 rows stayed `sending` after the record had lost its end, and nothing could end them."""
    entry = begin(store, now=store.clock() - GRACE - 2 * LEASE)
    id_ = entry.notification.id
    found = build_ledger(store, now=store.clock())
    assert found.doubts[Doubt.LEASE_PASSED].ids == [id_]
    done = notify("resolve", id_, option, "--reason", "in the vendor's log")
    assert (done.code, done.err) == (0, "")
    told = story(store, id_)
    assert (told.status, told.attempts[0].outcome) == (status, outcome)
    assert told.summary.possible_duplicate is duplicate
    assert store.record([accepted(entry)]) == {id_}
    found = build_ledger(store, now=store.clock())
    assert (found.doubts, found.faults) == ({}, {})


def test_several_are_decided_each_on_its_own(store: Store, notify: Notify) -> None:
    """One that is not parked is reported and not changed, and the exit code is 1."""
    ids = [parked(store), parked(store)]
    sending, stranger = begin(store, now=store.clock()).notification.id, uuid4()
    done = notify("resolve", ids[0], sending, stranger, ids[1], "--sent", "--reason", "INC-7")
    assert done.code == 1
    assert [story(store, id_).status for id_ in ids] == [Status.SENT, Status.SENT]
    assert story(store, sending).status is Status.SENDING
    assert f"{sending} is sending: there is nothing to decide" in done.err
    assert f"no notification {stranger} is on record" in done.err
    assert done.err.endswith("notify: 2 of 4 were not changed\n")


def test_a_decision_is_made_once(store: Store, notify: Notify) -> None:
    """The second operator learns that the first was quicker, and writes no audit."""
    id_ = parked(store)
    assert notify("resolve", id_, "--not-sent", "--reason", "first").code == 0
    assert notify("resolve", id_, "--sent", "--reason", "second").code == 1
    assert story(store, id_).status is Status.QUEUED
    with store.reading() as connection:
        assert connection.execute(select(audit.c.reason)).scalars().all() == ["first"]


def test_a_finding_is_not_applied_to_a_later_call(store: Store, notify: Notify) -> None:
    """Without `--calls`, one call was seen: the second one may have ended in another way."""
    id_ = parked(store)
    assert notify("resolve", id_, "--not-sent", "--reason", "not in the log").code == 0
    begin(store, now=store.clock(), id=id_)
    late = notify("resolve", id_, "--sent", "--reason", "a colleague found the first call")
    assert late.code == 1
    assert f"{id_} has had 2 calls, and 1 when you looked" in late.err
    assert "--calls 2" in late.err
    assert story(store, id_).status is Status.SENDING


@pytest.mark.parametrize(
    "arguments",
    [
        ["--sent", "--reason", "why"],
        [uuid4(), "--reason", "why"],
        [uuid4(), "--sent"],
        [uuid4(), "--sent", "--reason", " "],
        ["5", "--sent", "--reason", "why"],
    ],
)
def test_half_a_decision_is_a_usage_error(
    store: Store, notify: Notify, arguments: list[object]
) -> None:
    """Without an id, a finding or a reason nothing is done."""
    assert store.revision()
    assert notify("resolve", *arguments).code == 2


def test_a_record_that_is_away_is_one_clear_line(
    notify: Notify, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says what to check."""
    monkeypatch.setenv("NOTIFY_STORE__URL", "sqlite:////nowhere/at/all.db")
    done = notify("resolve", uuid4(), "--sent", "--reason", "why")
    assert (done.code, done.out) == (1, "")
    assert "store.url" in done.err
    assert done.err.count("\n") == 1
