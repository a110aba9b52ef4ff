"""`notify status` beside real workers, and while the broker or the record is away."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from notify.flow import overrides
from notify.message import Channel, Status
from notify.policies.breaker import Mode
from notify.policies.holds import Scope
from notify.settings import load
from notify.status.reader import StatusReader
from notify.store.audit import Actor
from notify.store.deadletters import LetterFilter, count_letters
from notify.store.tables import events
from tests.support.commands import Done
from tests.support.rig import Rig, surroundings, until

QUEUE = "notify.email.normal"


@pytest.fixture
def rig(tmp_path: Path, broker_url: str) -> Iterator[Rig]:
    """A worker's surroundings, on SQLite."""
    url = f"sqlite:///{tmp_path}/notify.db"
    with surroundings(tmp_path, broker_url=broker_url, store_url=url) as rig:
        yield rig


@pytest.fixture
def either(tmp_path: Path, broker_url: str, store_url: str) -> Iterator[Rig]:
    """The same on each database in turn."""
    with surroundings(tmp_path, broker_url=broker_url, store_url=store_url) as rig:
        yield rig


def look(rig: Rig) -> dict[str, Any]:
    """Ask for one object, of which a part cannot be read."""
    done = rig.notify("status", "--json")
    assert (done.code, done.err) == (1, "")
    told: dict[str, Any] = json.loads(done.out)
    return told


def read(rig: Rig, *options: str) -> Done:
    """Read the status until every part answers; all messages were sent just before."""
    shown: list[Done] = []

    def readable() -> bool:
        # The pace is that of the last 30 seconds, in which a busy machine reads once or not at all.
        with rig.store.writing() as connection:
            connection.execute(update(events).values(at=rig.store.clock()))
        shown.append(rig.notify("status", *options))
        return shown[-1].code == 0

    until(readable, found=lambda: shown[-1])
    assert shown[-1].err == ""
    return shown[-1]


def archived(rig: Rig) -> int:
    """Count the dead letters in the archive."""
    with rig.store.reading() as connection:
        return sum(count_letters(connection, LetterFilter()).values())


def test_one_screen_shows_the_whole_service(either: Rig) -> None:
    """Sent and waiting messages, the reason of a pause, and overrides."""
    rig = either
    sent = rig.requests(5)
    rig.publish(b"no json")
    with rig.worker(), rig.worker("dead", pool="dead"):
        until(lambda: all(rig.status(each) is Status.SENT for each in sent))
        until(lambda: archived(rig) == 1)
        during = json.loads(read(rig, "--json").out)
        screen = read(rig)
    assert during["workers"] == {
        "email": {"least": 1, "most": 1, "missing": False},
        "dead": {"least": 1, "most": 1, "missing": False},
        "receipts": {"least": 0, "most": 0, "missing": True},
    }
    queues = {each["name"]: each for each in during["queues"]}
    assert (queues[QUEUE]["waiting"], queues[QUEUE]["consumers"]) == (0, 1)
    assert queues[QUEUE]["sent_per_second"] == pytest.approx(5 / 30)
    ledger = during["ledger"]
    assert (ledger["accepted"], ledger["difference"]) == (6, 0)
    assert (ledger["terms"]["sent"], ledger["terms"]["dead"]) == (5, 1)
    assert [each["state"] for each in during["providers"]] == ["closed"]
    assert during["unreadable"] == {}
    for words in (
        "email 1   dead 1",
        "6 accepted = 5 sent + 1 dead; difference 0",
        "1 wait: 1 contract",
        "0.2/s",
    ):
        assert words in screen.out

    ann = Actor("ann@ops", "INC-7")
    overrides.set_breaker_mode(rig.store, ["sendgrid"], Mode.OPEN, ann, seconds=None)
    hold = Scope(channel=Channel.EMAIL)
    overrides.place_hold(rig.store, hold, Actor("ann@ops", "INC-12"), seconds=None)
    rig.requests(3)
    after = json.loads(read(rig, "--json").out)
    queues = {each["name"]: each for each in after["queues"]}
    assert (queues[QUEUE]["waiting"], queues[QUEUE]["consumers"]) == (3, 0)
    assert queues[QUEUE]["drained_in_seconds"] == pytest.approx(18)
    assert queues[QUEUE]["paused"] == "hold 1 stops it"
    assert after["workers"] == {
        "email": {"least": 0, "most": 0, "missing": False},
        "dead": {"least": 0, "most": 0, "missing": True},
        "receipts": {"least": 0, "most": 0, "missing": True},
    }
    assert after["providers"][0]["mode"] == "open"
    assert after["holds"][0]["reason"] == "INC-12"
    out = read(rig).out
    for words in ("forced open", "channel email, until it is released", "18 s"):
        assert words in out


def test_an_unreadable_part_shows_why_and_the_rest_is_shown(rig: Rig) -> None:
    """Operators need the command most while one of both is away."""
    config = rig.config.read_text()
    rig.config.write_text(config.replace(rig.broker_url, "pyamqp://guest:guest@127.0.0.1:1//"))
    told = look(rig)
    assert (told["queues"], told["workers"]) == (None, None)
    assert told["unreadable"] == {"broker": "connection refused"}
    assert told["ledger"]["accepted"] == 0
    screen = rig.notify("status")
    assert screen.code == 1
    assert "cannot be read: connection refused" in screen.out
    assert "0 accepted" in screen.out

    away = 'url = "postgresql+psycopg://notify@127.0.0.1:1/notify"\n[pools.email]'
    before, _, rest = config.partition("[store]")
    rig.config.write_text(f"{before}[store]\n{away}{rest.partition('[pools.email]')[2]}")
    told = look(rig)
    assert told["unreadable"] == {
        "record": "the record cannot be used: OperationalError (no server listens there)"
    }
    assert (told["ledger"], told["providers"], told["late"]) == (None, None, None)
    assert [each["waiting"] for each in told["queues"]] == [0] * 12
    assert "cannot be read: the record" in rig.notify("status").out


def test_watching_shows_growth_until_ctrl_c(rig: Rig) -> None:
    """A line every two seconds; Ctrl-C ends it with exit code 0."""
    process = rig.command("status", "--watch", "--json")

    def grown() -> list[dict[str, float | None]]:
        # The last line may not be complete.
        complete = process.out().rpartition("\n")[0].splitlines()
        queues = [json.loads(line)["queues"] or [] for line in complete]
        rates = [{each["name"]: each["growth_per_second"] for each in seen} for seen in queues]
        return [rate for rate in rates if (rate.get(QUEUE) or 0) > 0]

    def grows() -> bool:
        # More than once: a read that fails, and the next one, show no growth.
        rig.request()
        return bool(grown())

    until(grows)
    process.send_signal(signal.SIGINT)
    done = process.done()
    assert (done.code, done.err) == (0, "")
    assert grown()[0]["notify.dead"] == 0


def test_growth_is_counted_in_messages_a_second(rig: Rig) -> None:
    """By the time between two reads, however long one takes."""
    now = 0.0
    with StatusReader(load(rig.config, environ={}), monotonic=lambda: now) as reader:
        assert reader.read().growth == {}
        rig.requests(4)
        until(lambda: rig.waiting(QUEUE) == 4)
        now = 2.0
        growth = reader.read().growth
    assert (growth[QUEUE], growth["notify.dead"]) == (2.0, 0.0)
