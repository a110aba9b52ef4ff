"""`notify ledger`, as a person or a script calls it."""

from __future__ import annotations

import json
from functools import partial

import pytest

from notify.store import Store
from tests.support.commands import Done, Notify
from tests.support.planting import DOUBTS, FAULTS, bury, failed, queued, sent
from tests.support.recording import asked, call_for, claim_one


@pytest.fixture
def notify(notify: Notify) -> Notify:
    """Call `notify ledger` as the console script does."""
    return partial(notify, "ledger")


def _rows(done: Done) -> list[list[str]]:
    return [line.split() for line in done.out.splitlines()]


def test_a_sound_record_balances(store: Store, notify: Notify) -> None:
    """Each term has its line, and the sum is the number accepted."""
    sent(store)
    failed(store)
    bury(store)
    done = notify()
    assert (done.code, done.err) == (0, "")
    rows = _rows(done)
    for row in (["accepted", "3"], ["sent", "1"], ["rejected", "1"], ["dead", "1"]):
        assert row in rows
    assert ["delivered", "0"] in rows
    assert rows[-1] == ["it", "balances"]


def test_a_contradiction_is_reported_with_its_id_and_exit_code_1(
    store: Store, notify: Notify
) -> None:
    """The output names the contradiction, the id, and the command to run next."""
    kind, plant = FAULTS["sent, never called"]
    planted = plant(store)
    done = notify()
    assert done.code == 1
    assert f"{kind}: 1" in done.out
    assert str(planted) in done.out
    assert "it balances" not in done.out
    assert done.err.startswith("notify: the ledger does not balance")


def test_an_unknown_status_makes_a_difference(store: Store, notify: Notify) -> None:
    """A notification in none of the terms is counted."""
    FAULTS["a status of nobody's"][1](store)
    done = notify()
    assert done.code == 1
    assert "1 accepted, but in none of the terms" in done.out


def test_a_doubt_is_reported_and_the_exit_code_is_0(store: Store, notify: Notify) -> None:
    """A lease that passed long ago may be a worker that was just killed."""
    kind, plant = DOUBTS["due for an hour"]
    planted = plant(store)
    done = notify()
    assert done.code == 0
    assert f"{kind}: 1" in done.out
    assert str(planted) in done.out


def test_more_ids_are_listed_on_demand(store: Store, notify: Notify) -> None:
    """By default a few, however many there are."""
    for _ in range(3):
        FAULTS["sent, never called"][1](store)
    assert "and 2 more; --ids shows more" in notify("--ids", 1).out
    assert "more" not in notify("--ids", 3).out


def test_the_terms_are_broken_down_on_demand(store: Store, notify: Notify) -> None:
    """By channel, by lane, or by both; an unknown part of a dead letter is a question mark."""
    sent(store)
    claim_one(store, call_for(asked(lane="bulk")))
    bury(store, channel=None, lane=None)
    rows = _rows(notify("--by", "channel,lane"))
    assert ["channel", "lane", "sent", "in", "flight", "dead"] in rows
    assert ["email", "bulk", "0", "1", "0"] in rows
    assert ["?", "?", "0", "0", "1"] in rows
    assert ["all", "1", "1", "1"] in rows
    assert ["critical", "1", "0", "0"] in _rows(notify("--by", "lane"))


def test_the_oldest_in_flight_is_shown_per_channel_and_lane(store: Store, notify: Notify) -> None:
    """With its age, so that a lane that does not move is seen."""
    queued(store)
    lines = notify().out.splitlines()
    row = next(line for line in lines if line.startswith("email"))
    channel, lane, age, unit = row.split()
    assert (channel, lane, unit) == ("email", "critical", "d")
    assert int(age) > 300


def test_a_program_gets_one_json_object(store: Store, notify: Notify) -> None:
    """All of it, by channel and lane, with the exit code of a person's."""
    sent(store)
    kind, plant = FAULTS["scheduled for never"]
    planted = plant(store)
    done = notify("--json")
    assert done.code == 1
    plain = json.loads(done.out)
    assert (plain["accepted"], plain["difference"], plain["balanced"]) == (2, 0, False)
    assert plain["terms"]["sent"] == plain["terms"]["in flight"] == 1
    assert plain["faults"] == {"never_due": {"means": str(kind), "count": 1, "ids": [str(planted)]}}
    (line,) = plain["lines"]
    assert line["in_flight"] == {"scheduled": 1}
    assert line["oldest_seconds"] is None


@pytest.mark.parametrize("what", ["source", "channel,channel", "lane,", ""])
def test_a_breakdown_by_something_else_is_a_usage_error(notify: Notify, what: str) -> None:
    """The error names the valid words."""
    done = notify("--by", what)
    assert done.code == 2
    assert "write channel, lane or channel,lane" in done.err


@pytest.mark.usefixtures("url")
def test_a_record_without_tables_is_reported_in_one_line(notify: Notify) -> None:
    """With the command that makes them."""
    done = notify()
    assert done.code == 1
    assert "notify migrate" in done.err


def test_a_broker_that_is_away_is_reported_in_one_line(
    store: Store, notify: Notify, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the password of its address."""
    sent(store)
    monkeypatch.setenv("NOTIFY_AMQP__URL", "pyamqp://guest:secret@127.0.0.1:1//")
    done = notify("--broker")
    assert done.code == 1
    assert "the broker of amqp.url cannot be reached" in done.err
    assert "secret" not in done.err + done.out
