"""`notify hold`, `notify release` and `notify holds`, as an operator calls them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from notify.message import Channel, Status
from notify.policies.holds import Hold, Scope
from notify.store import Claim, Entry, Store
from notify.store.flow.holds import current, place, release_ended
from notify.store.tables import audit
from tests.support.commands import Notify
from tests.support.recording import asked, claim_one

FAR = datetime.now(UTC) + timedelta(days=30)

pytestmark = pytest.mark.usefixtures("three_providers")


@pytest.fixture(autouse=True)
def _no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no broker within reach."""
    monkeypatch.setenv("NOTIFY_AMQP__URL", "pyamqp://guest:guest@127.0.0.1:1//")


def _standing(store: Store) -> list[Hold]:
    with store.reading() as connection:
        return current(connection)[0]


def _place(store: Store, **parts: Any) -> Hold:
    with store.writing() as connection:
        return place(connection, Scope(**parts), actor="bob@ops-2", reason="drill")


def _waits(store: Store, *, hold: Hold | None = None, **changes: Any) -> UUID:
    status = Status.QUEUED if hold else Status.SCHEDULED
    entry = Entry(asked(**changes), status, due_at=FAR, hold_id=hold.id if hold else None)
    assert claim_one(store, entry) is Claim.OWNED
    return entry.notification.id


def _audit(store: Store) -> list[Any]:
    with store.reading() as connection:
        return list(connection.execute(select(audit)))


def test_a_hold_is_placed_counted_and_audited(store: Store, notify: Notify) -> None:
    """It is in force although RabbitMQ is away, and the command prints so."""
    _waits(store, source="crm", channel=Channel.SMS)
    _waits(store, source="shop", channel=Channel.SMS)
    done = notify("hold", "--channel", "sms", "--source", "crm", "--reason", "INC-12")
    (placed,) = _standing(store)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        f"hold {placed.id} is placed: channel sms, source crm, until it is released",
        "in effect on all workers within 2 seconds",
        "waiting in RabbitMQ: not counted, since it cannot be reached",
        "waiting on record: 1 (1 scheduled)",
    ]
    assert placed.given == {"channel": "sms", "source": "crm"}
    assert placed.actor.startswith("ann@")
    assert (placed.reason, placed.until) == ("INC-12", None)
    (row,) = _audit(store)
    assert row.actor.startswith("ann@")
    assert (row.action, row.reason) == ("hold", "INC-12")
    assert row.details == {"id": placed.id, "seconds": None, "channel": "sms", "source": "crm"}


def test_a_hold_may_end_by_itself(store: Store, notify: Notify) -> None:
    """The time is in UTC."""
    done = notify("hold", "--lane", "bulk", "--for", "30m", "--reason", "x")
    (placed,) = _standing(store)
    assert placed.until == pytest.approx(placed.since + 1800, abs=0.1)
    assert placed.until is not None
    until = datetime.fromtimestamp(placed.until, UTC)
    assert f"lane bulk, until {until:%Y-%m-%d %H:%M} UTC" in done.out
    assert _audit(store)[0].details["seconds"] == 1800


def test_a_held_providers_channel_goes_on_or_waits(store: Store, notify: Notify) -> None:
    """With another provider nothing is stopped, so nothing is counted."""
    _waits(store, channel=Channel.PUSH)
    _waits(store, channel=Channel.EMAIL)
    goes_on = notify("hold", "--provider", "first", "--reason", "x").out.splitlines()
    assert goes_on[2:] == ["email goes on through second"]
    waits = notify("hold", "--provider", "only", "--reason", "x").out.splitlines()
    assert waits[2:] == [
        "push has no other provider: it waits",
        "waiting in RabbitMQ: not counted, since it cannot be reached",
        "waiting on record: 1 (1 scheduled)",
    ]


@pytest.mark.usefixtures("store")
def test_a_channel_whose_other_provider_is_held_too_waits(notify: Notify) -> None:
    """A provider on hold is not listed as an alternative."""
    notify("hold", "--provider", "second", "--reason", "x")
    told = notify("hold", "--provider", "first", "--reason", "x").out.splitlines()
    assert told[2] == "email has no other provider: it waits"


def test_everything_is_held_by_that_word_alone(store: Store, notify: Notify) -> None:
    """Not by forgetting the filters."""
    assert notify("hold", "--reason", "x").code == 2
    assert notify("hold", "--channel", "", "--reason", "x").code == 2
    assert notify("hold", "--all", "--lane", "bulk", "--reason", "x").code == 2
    assert _standing(store) == []
    assert "is placed: everything, until" in notify("hold", "--all", "--reason", "x").out
    (placed,) = _standing(store)
    assert placed.stops_queue(Channel.SMS, "critical")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--lane", "crit"],
            "no lane crit is configured; configured lanes: bulk, critical, normal",
        ),
        (
            ["--provider", "sendgrid"],
            "no provider sendgrid is configured; configured providers: first, only",
        ),
        (["--provider", "first", "--lane", "bulk"], "--provider excludes other filters"),
        (["--lane", "bulk", "--for", "soon"], "'soon' is not a span of time; write it as 90s, 30m"),
        (["--lane", "bulk", "--for", "0m"], "'0m' is not a span of time"),
        (["--lane", "bulk", "--reason", " "], "--reason is empty"),
    ],
)
def test_a_usage_error_is_reported_before_anything_is_held(
    store: Store, notify: Notify, arguments: list[str], words: str
) -> None:
    """A hold on a lane that does not exist would calm an operator and stop nothing."""
    done = notify("hold", "--reason", "x", *arguments)
    assert (done.code, done.out) == (2, "")
    assert words in done.err
    assert (_standing(store), _audit(store)) == ([], [])


def test_a_hold_as_json(store: Store, notify: Notify) -> None:
    """The hold, and the numbers of waiting messages."""
    _waits(store, lane="bulk")
    done = notify("hold", "--lane", "bulk", "--for", "1h", "--reason", "x", "--json")
    told = json.loads(done.out)
    since, until = (datetime.fromisoformat(told["hold"].pop(name)) for name in ("since", "until"))
    assert (until - since).total_seconds() == pytest.approx(3600, abs=0.1)
    assert told["hold"].pop("actor").startswith("ann@")
    assert told == {
        "hold": {
            "id": _standing(store)[0].id,
            "channel": None,
            "lane": "bulk",
            "source": None,
            "template": None,
            "provider": None,
            "reason": "x",
        },
        "waiting": {"queues": None, "whole_queues": True, "record": {"scheduled": 1}},
    }


def test_a_release_names_the_same_filters(store: Store, notify: Notify) -> None:
    """Neither more nor fewer: a wider or narrower hold is another decision."""
    narrow = _place(store, channel=Channel.SMS, lane="bulk")
    wide = _place(store, channel=Channel.SMS)
    twice = _place(store, channel=Channel.SMS)
    _waits(store, hold=wide)
    _waits(store, hold=wide)
    done = notify("release", "--channel", "sms", "--reason", "over")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        f"hold {wide.id} is released: channel sms; 2 on record come due",
        f"hold {twice.id} is released: channel sms",
        "1 other hold is in force: notify holds",
    ]
    assert _standing(store) == [narrow]
    (row,) = _audit(store)
    assert (row.action, row.reason) == ("release", "over")
    assert row.details == {"ids": [wide.id, twice.id], "kept": 2}
    with store.writing() as connection:
        assert release_ended(connection, row.details["ids"], now=datetime.now(UTC), limit=10) == 2


def test_a_release_names_ids_or_all(store: Store, notify: Notify) -> None:
    """Of several kinds of choice only one."""
    first, second, third = (_place(store, lane=lane) for lane in ("bulk", "normal", "critical"))
    assert notify("release", "--id", first.id, "--id", second.id, "--reason", "x").code == 0
    assert _standing(store) == [third]
    _place(store, provider="only")
    for wrong in ([], ["--all", "--id", "1"], ["--lane", "bulk", "--id", "1"]):
        assert notify("release", "--reason", "x", *wrong).code == 2
    done = notify("release", "--all", "--reason", "x", "--json")
    told = json.loads(done.out)
    assert [each["lane"] or each["provider"] for each in told["released"]] == ["critical", "only"]
    assert (told["standing"], _standing(store)) == (0, [])


def test_a_hold_not_in_force_cannot_be_released(store: Store, notify: Notify) -> None:
    """The error names the filters; other holds are not changed."""
    held = _place(store, lane="bulk")
    for arguments, words in [
        (["--channel", "sms", "--lane", "bulk"], "hold for exactly channel sms, lane bulk"),
        (["--id", "77"], "hold 77"),
    ]:
        done = notify("release", "--reason", "x", *arguments)
        assert (done.code, done.out) == (1, "")
        assert f"no {words} is in force; `notify holds` lists the holds in force" in done.err
    assert (_standing(store), _audit(store)) == ([held], [])


def test_holds_are_listed_with_their_counts(store: Store, notify: Notify) -> None:
    """In two lines each, for people."""
    assert notify("holds").out == "no hold is in force\n"
    first, second = _place(store, lane="bulk"), _place(store, source="crm")
    _waits(store, hold=second)
    since = datetime.fromtimestamp(first.since, UTC)
    assert notify("holds").out.splitlines()[:3] == [
        f"{first.id}  lane bulk, until it is released",
        f"   since {since:%Y-%m-%d %H:%M} UTC by bob@ops-2: drill",
        f"{second.id}  source crm, until it is released; 1 set aside in the record",
    ]


def test_holds_are_listed_as_json(store: Store, notify: Notify) -> None:
    """One object a line."""
    assert notify("holds", "--json").out == ""
    held = _place(store, template="welcome")
    (line,) = notify("holds", "--json").out.splitlines()
    told = json.loads(line)
    assert (told["id"], told["template"], told["kept"]) == (held.id, "welcome", 0)


@pytest.mark.parametrize("command", ["hold", "release", "holds"])
def test_help_has_an_example(notify: Notify, command: str) -> None:
    """One that can be copied."""
    done = notify(command, "--help")
    assert done.code == 0
    assert f"  notify {command}" in done.out
