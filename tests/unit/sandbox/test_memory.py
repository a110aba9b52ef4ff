"""The sandbox's memory: the inbox, the ledger, the switch."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from notify.errors import ConfigError
from notify.message import Channel
from notify.sandbox.allowance import RequestCounter
from notify.sandbox.behaviour import Behaviour, Effect, Vendor
from notify.sandbox.inbox import Inbox, Message
from notify.sandbox.ledger import LedgerEntry, SandboxLedger
from notify.sandbox.switch import Setting, Switch, seconds
from tests.support.tables import each_of

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def _message(number: int, *, to: str = "ada@example.com", subject: str = "Hello") -> Message:
    return Message(
        id=f"m{number}",
        provider_id=f"m{number}",
        vendor=Vendor.SENDGRID,
        channel=Channel.EMAIL,
        at=NOON,
        to=to,
        subject=subject,
        notify_id=f"n{number}",
    )


def _entry(
    did: Effect = Effect.ACCEPTED, answered: int | str = 202, notify_id: str = "n1"
) -> LedgerEntry:
    return LedgerEntry(
        at=NOON, vendor=Vendor.SENDGRID, did=did, answered=answered, notify_id=notify_id
    )


def test_the_inbox_forgets_the_oldest() -> None:
    """It holds as many as it was told, newest first."""
    inbox = Inbox(keep=2)
    for number in (1, 2, 3):
        inbox.add(_message(number))
    assert [message.id for message in inbox] == ["m3", "m2"]
    assert inbox.get("m1") is None


def test_the_inbox_is_searched_by_each_filter() -> None:
    """Recipient and id match exactly, words anywhere and in any case."""
    inbox = Inbox(keep=10)
    inbox.add(_message(1, to="ada@example.com", subject="Invoice"))
    inbox.add(_message(2, to="bob@example.com"))
    assert [m.id for m in inbox.find(to="ada@example.com")] == ["m1"]
    assert [m.id for m in inbox.find(notify_id="n2")] == ["m2"]
    assert [m.id for m in inbox.find(text="iNVOice")] == ["m1"]
    assert [m.id for m in inbox.find(limit=1)] == ["m2"]
    assert inbox.find(channel="sms") == []
    assert inbox.find(limit=0) == []


def test_the_ledger_counts_what_it_no_longer_remembers(tmp_path: Path) -> None:
    """Memory is bounded; counts and file are exact."""
    path = tmp_path / "ledger.jsonl"
    ledger = SandboxLedger(path, keep=2)
    for answer in (202, 202, "reset"):
        ledger.add([_entry(answered=answer)])
    ledger.add([_entry(did=Effect.REFUSED, answered=429, notify_id="n2")])
    counts = ledger.counts()
    assert len(ledger.entries()) == 2
    assert counts["total"] == 4
    assert counts["sendgrid"] == {
        "accepted": 3,
        "refused": 1,
        "nothing": 0,
        "answered": {"202": 2, "reset": 1, "429": 1},
    }
    # Read before it is closed: each line was flushed at once.
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [(line["did"], line["answered"]) for line in lines] == [
        ("accepted", 202),
        ("accepted", 202),
        ("accepted", "reset"),
        ("refused", 429),
    ]
    ledger.close()


def test_the_ledger_appends_to_what_is_there(tmp_path: Path) -> None:
    """A restart loses nothing."""
    path = tmp_path / "ledger.jsonl"
    for _ in range(2):
        ledger = SandboxLedger(path)
        ledger.add([_entry()])
        ledger.close()
    assert len(path.read_text(encoding="utf-8").splitlines()) == 2


def test_the_ledger_lists_one_notification() -> None:
    """The newest first, of the asked one only."""
    ledger = SandboxLedger()
    ledger.add([_entry(notify_id="n1"), _entry(notify_id="n2"), _entry(Effect.NOTHING, 503, "n1")])
    assert [entry.answered for entry in ledger.entries(notify_id="n1")] == [503, 202]


def test_a_ledger_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """The error says which file, and why."""
    with pytest.raises(ConfigError, match=r"nowhere/ledger\.jsonl: No such file"):
        SandboxLedger(tmp_path / "nowhere" / "ledger.jsonl")


def test_a_switch_changes_what_it_is_told_and_no_more() -> None:
    """Other vendors, and the other field, stay."""
    switch = Switch(latency=0.05)
    switch.set([Vendor.TWILIO], behaviour=Behaviour.DOWN)
    assert switch.of(Vendor.TWILIO).behaviour is Behaviour.DOWN
    assert switch.of(Vendor.TWILIO).latency == 0.05
    assert switch.of(Vendor.SENDGRID).behaviour is None


def test_an_account_follows_its_vendor_until_it_is_set_for_itself() -> None:
    """Then it keeps its own setting, which no other account gets."""
    switch = Switch(latency=0.05)
    switch.set([Vendor.SENDGRID], behaviour=Behaviour.DOWN)
    assert switch.of(Vendor.SENDGRID, "second").behaviour is Behaviour.DOWN
    switch.set(["second"], rate=5)
    assert switch.of(Vendor.SENDGRID, "second") == Setting(latency=0.05, rate=5)
    assert switch.of(Vendor.SENDGRID, "primary").rate is None
    switch.set(behaviour=None, latency=0.0)
    assert switch.of(Vendor.SENDGRID, "second") == Setting(rate=5)
    assert switch.of(Vendor.SENDGRID, "primary") == Setting()


def test_a_counter_counts_each_second_and_account() -> None:
    """Each answer has the remaining requests, and the time of the next count."""
    counter = RequestCounter()
    allowances = [counter.count("second", limit=2, now=now) for now in (10.0, 10.5, 10.9, 11.0)]
    assert [each.granted for each in allowances] == [True, True, False, True]
    assert [each.remaining for each in allowances] == [1, 0, 0, 1]
    assert [each.reset for each in allowances] == [11, 11, 11, 12]
    assert [each.wait for each in allowances] == [1, 1, 1, 1]
    assert counter.count("primary", limit=2, now=11.0).remaining == 1
    # A thread that read the clock before the others arrived after them.
    assert counter.count("second", limit=2, now=10.99).remaining == 0


@pytest.mark.parametrize(
    ("text", "expected"), [("50ms", 0.05), ("1.5s", 1.5), ("2", 2.0), (" 0 ", 0.0)]
)
def test_durations_are_read(text: str, expected: float) -> None:
    """A number with or without a unit; seconds if none."""
    assert seconds(text) == pytest.approx(expected)


@each_of("text", ["", "fast", "-1s", "5m", "1e9", "601s", "inf", "nan"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(ValueError, match="not a duration"):
        seconds(text)
