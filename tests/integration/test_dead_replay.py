"""Dead letters from a real worker's hands into the archive, and out of it again."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from notify.message import Channel, Outcome, Status
from notify.plans import BulkPlan, PlanState, read_plan
from notify.publisher import Outgoing, Publisher
from notify.sandbox.behaviour import Behaviour
from notify.store import Filter
from notify.store.deadletters.archive import LetterState
from notify.store.deadletters.search import DeadLetter, LetterFilter, find_letters
from notify.store.tables import audit, dead_letters
from notify.topology import DEAD
from tests.support.forked import run_script
from tests.support.malformed import MALFORMED
from tests.support.patience import PATIENCE
from tests.support.rig import Rig, surroundings, until

MALFORMED_EMAILS = [row for row in MALFORMED if row.routing_key == "email.normal.shop"]
WHY = ("--reason", "INC-7: the vendor is back", "--yes")


@pytest.fixture(autouse=True)
def _no_second_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lane with one attempt, so that messages die quickly."""
    monkeypatch.setenv("NOTIFY_LANES__NORMAL__ATTEMPTS", "1")


@pytest.fixture
def rig(tmp_path: Path, broker_url: str, store_url: str) -> Iterator[Rig]:
    """A worker's surroundings on each kind of database."""
    with surroundings(tmp_path, broker_url=broker_url, store_url=store_url) as rig:
        yield _without_breaker(rig)


@pytest.fixture
def sqlite_rig(tmp_path: Path, broker_url: str) -> Iterator[Rig]:
    """A worker's surroundings on SQLite, for tests that do not depend on the database."""
    url = f"sqlite:///{tmp_path}/notify.db"
    with surroundings(tmp_path, broker_url=broker_url, store_url=url) as rig:
        yield _without_breaker(rig)


def _without_breaker(rig: Rig) -> Rig:
    """Make every message fail on its own, however long the vendor is down."""
    with rig.config.open("a") as file:
        file.write("[providers.sendgrid.breaker]\nminimum_calls = 1_000_000\n")
    return rig


@contextmanager
def workers(rig: Rig) -> Iterator[None]:
    """Run a worker for email and one for dead letters."""
    with rig.worker("email"), rig.worker("dead", pool="dead"):
        yield


def run(rig: Rig, *arguments: object, code: int = 0, **environ: str) -> str:
    """Run a notify command to its end, and return its output."""
    done = rig.notify(*arguments, **environ)
    assert done.code == code, done
    return done.out + done.err


def kept(rig: Rig, **wanted: Any) -> list[DeadLetter]:
    """Read the archive."""
    with rig.store.reading() as connection:
        return find_letters(connection, LetterFilter(**wanted), limit=10_000)


def planned(rig: Rig, *arguments: object) -> dict[str, Any]:
    """Plan a replay, and return the plan."""
    plan: dict[str, Any] = json.loads(run(rig, "dead", "plan", *arguments, "--json"))
    return plan


def fail(rig: Rig, number: int) -> list[UUID]:
    """Have workers fail to deliver to a vendor that refuses all, and archive their messages."""
    ids = [uuid4() for _ in range(number)]
    rig.sandbox.switch.set(behaviour=Behaviour.DOWN)
    many(rig, [email(id_) for id_ in ids])
    until(lambda: len(kept(rig)) == number)
    assert {letter.cause for letter in kept(rig)} == {"failed"}
    rig.sandbox.switch.set(behaviour=None)
    return ids


def email(id_: UUID, **fields: Any) -> dict[str, Any]:
    """Write a request."""
    request = {"id": str(id_), "to": "ada@example.com", "subject": "Hello", "text": "Hi."}
    return {**request, **fields}


def many(rig: Rig, requests: list[dict[str, Any]]) -> None:
    """Publish requests, pipelined."""
    with Publisher(rig.broker_url, timeout=PATIENCE) as publisher:
        messages = (
            Outgoing(json.dumps(each).encode(), "email.normal.shop", message_id=each["id"])
            for each in requests
        )
        assert not any(publisher.publish_many(messages))


def sent(rig: Rig) -> Counter[str]:
    """Count the messages that the vendor accepted, by notification."""
    return Counter(message.notify_id for message in rig.sandbox.messages())


def audited(rig: Rig) -> list[Any]:
    """Read the audit."""
    with rig.store.reading() as connection:
        return list(connection.execute(select(audit).order_by(audit.c.id)))


_KILLED_BEFORE_THE_ACK = """
import os, signal
from notify.deadletters import Archive
from notify.cli import main

keep = Archive._write

def keep_and_die(self, readings, *, now):
    keep(self, readings, now=now)
    os.kill(os.getpid(), signal.SIGKILL)

Archive._write = keep_and_die
main()
"""


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_crash_between_commit_and_acknowledgement_archives_once(rig: Rig) -> None:
    """The broker redelivers a letter that is in the archive already."""
    bodies = [b"not json %d" % number for number in range(30)]
    with rig.worker():
        for body in bodies:
            rig.publish(body)
        until(lambda: rig.waiting(DEAD) == len(bodies))
    environ = {**os.environ, "NOTIFY_CONFIG": str(rig.config)}
    killed = run_script(_KILLED_BEFORE_THE_ACK, "worker", "dead", environ=environ)
    assert killed == -signal.SIGKILL
    assert kept(rig)
    until(lambda: rig.waiting(DEAD) == len(bodies))
    with rig.worker("dead", pool="dead"):
        until(lambda: rig.waiting(DEAD) == 0)
        until(lambda: len(kept(rig)) == len(bodies))
    assert rig.dead() == []
    assert len(kept(rig)) == len(bodies)


def test_whatever_dies_is_archived_with_its_reason_and_its_bytes(rig: Rig) -> None:
    """Malformed in every way we know, unroutable, or with headers of odd types."""
    odd = {"content_type": "application/json", "headers": {"n": [1, {"x": b"\x00\xff"}], "k": "\0"}}
    with workers(rig):
        for row in MALFORMED_EMAILS:
            rig.publish(row.body, row.routing_key, row.properties)
        rig.publish(b"{}", "fax.normal.shop")
        rig.publish(b"[0]", "email.normal.shop", odd)
        until(lambda: len(kept(rig)) == len(MALFORMED_EMAILS) + 2)
    assert rig.waiting(DEAD) == 0
    with rig.store.reading() as connection:
        rows = list(connection.execute(select(dead_letters)))
    for row in MALFORMED_EMAILS:
        found = [each for each in rows if each.body == row.body]
        assert any(row.why in each.reason for each in found), row.name
        assert {each.cause for each in found} == {"contract"}
        assert {each.queue for each in found} == {"notify.email.normal"}
        assert all(each.died_at is not None for each in found)
    (fax,) = (each for each in rows if each.body == b"{}")
    assert fax.cause == "unroutable"
    (strange,) = (each for each in rows if each.body == b"[0]")
    headers = strange.properties["application_headers"]
    assert headers["n"] == [1, {"x": {"base64": "AP8="}}]
    assert headers["k"] == "\\x00"


def test_a_replay_sends_each_once_and_again_sends_none(rig: Rig) -> None:
    """Under the same id, at the rate that was given, with an audit row."""
    with workers(rig):
        ids = fail(rig, 20)
        plan = planned(rig, "--rate", 20)
        assert plan["notifications"] == {"never_sent": 20}
        assert (plan["replayed"], plan["seconds"]) == (20, 1.0)
        begin = time.monotonic()
        run(rig, "dead", "replay", "--rate", 20, *WHY, "--wait")
        took = time.monotonic() - begin
        assert "no waiting dead letter" in run(rig, "dead", "replay", *WHY)
    assert took > 0.95
    assert sent(rig) == {str(id_): 1 for id_ in ids}
    assert {letter.state for letter in kept(rig)} == {"replayed"}
    (row,) = audited(rig)
    assert (row.action, row.reason) == ("dead.replay", "INC-7: the vendor is back")
    assert row.actor.count("@") == 1
    assert row.details["notifications"] == 20
    story = rig.store.get(ids[0])
    assert story is not None
    assert [attempt.outcome for attempt in story.attempts] == [Outcome.NOT_SENT, Outcome.ACCEPTED]


def test_two_operators_who_replay_at_once_send_each_once(rig: Rig) -> None:
    """They share the letters between them."""
    with workers(rig):
        ids = fail(rig, 60)
        both = [rig.command("dead", "replay", "--rate", 500, *WHY, "--json") for _ in range(2)]
        reported = [json.loads(each.done().out.splitlines()[-1]) for each in both]
        until(lambda: rig.store.count(Filter()) == {Status.SENT: 60})
    assert sum(each["notifications"] for each in reported) == 60
    assert sent(rig) == {str(id_): 1 for id_ in ids}


_KILLED_IN_THE_MIDDLE = """
import os, signal
from notify.deadletters.schedule import ReplaySchedule
from notify.cli import main

write = ReplaySchedule.write
calls = []

def write_and_die(self, *arguments, **named):
    calls.append(1)
    done = write(self, *arguments, **named)
    if len(calls) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return done

ReplaySchedule.write = write_and_die
main()
"""


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_a_replay_that_is_killed_and_run_again_sends_each_once(rig: Rig) -> None:
    """Committed groups are sent; the second run schedules the rest."""
    with workers(rig):
        ids = fail(rig, 120)
        command = ["dead", "replay", "--rate", "500", *WHY, "--no-wait"]
        environ = {**os.environ, "NOTIFY_CONFIG": str(rig.config)}
        killed = run_script(_KILLED_IN_THE_MIDDLE, *command, environ=environ)
        assert killed == -signal.SIGKILL
        assert len(kept(rig, state=LetterState.REPLAYED)) == 100
        assert "20 notifications are scheduled" in run(rig, *command)
        until(lambda: rig.store.count(Filter()) == {Status.SENT: 120})
    assert sent(rig) == {str(id_): 1 for id_ in ids}


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_an_edited_poison_message_is_delivered(rig: Rig, tmp_path: Path) -> None:
    """In the editor; the original stays, and the audit knows both by their digests only."""
    id_ = uuid4()
    body = json.dumps(email(id_)).encode()
    rig.publish(body.replace(b'"to"', b"'to'"))
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i "s/\'to\'/\\"to\\"/" "$1"\n')
    editor.chmod(0o755)
    with workers(rig):
        until(lambda: len(kept(rig)) == 1)
        (letter,) = kept(rig)
        assert planned(rig)["notifications"] == {"unfit": 1}
        assert "1 waiting dead letters" in run(rig, "dead", "plan")
        why = run(rig, "dead", "replay", letter.id, *WHY, code=0)
        assert "There is nothing to replay" in why
        mend = ("dead", "replay", "--edit", letter.id, *WHY, "--wait")
        run(rig, *mend, EDITOR="true", VISUAL="", code=1)
        run(rig, *mend, EDITOR=str(editor), VISUAL="")
    assert sent(rig) == {str(id_): 1}
    assert run(rig, "dead", "show", letter.id, "--raw") == body.replace(b'"to"', b"'to'").decode()
    assert [row.action for row in audited(rig)] == ["dead.mend", "dead.replay"]
    assert "ada@" not in str(audited(rig))


def test_a_message_without_a_queue_is_sent_to_another_key(sqlite_rig: Rig) -> None:
    """A channel or lane without a pool; the request keeps its id."""
    rig = sqlite_rig
    fax, vip = uuid4(), uuid4()
    rig.publish(json.dumps(email(fax)).encode(), "fax.normal.shop")
    rig.publish(json.dumps(email(vip)).encode(), "email.vip.shop")
    with workers(rig):
        until(lambda: len(kept(rig)) == 2)
        assert planned(rig)["notifications"] == {"unfit": 2}
        for letter in kept(rig):
            key = ("--key", "email.normal.shop")
            run(rig, "dead", "replay", letter.id, *key, *WHY, "--wait")
    assert sent(rig) == {str(fax): 1, str(vip): 1}
    assert {letter.channel for letter in kept(rig)} == {Channel.EMAIL}


def test_of_a_batch_only_those_are_replayed_that_failed(sqlite_rig: Rig) -> None:
    """The others are not sent again; one that fails again is a new dead letter."""
    rig = sqlite_rig
    with workers(rig):
        batch = rig.request(to=["ann@example.com", "down@sandbox.test", "bo@example.com"])
        until(lambda: len(kept(rig)) == 1)
        (letter,) = kept(rig)
        assert letter.notification_id == batch
        assert (letter.reason or "").startswith("1 of 3: ")
        assert planned(rig)["notifications"] == {"accepted": 2, "never_sent": 1}
        run(rig, "dead", "replay", *WHY, "--wait")
        until(lambda: len(kept(rig)) == 2)
    assert sorted(message.to for message in rig.sandbox.messages()) == [
        "ann@example.com",
        "bo@example.com",
    ]
    again = kept(rig)[0]
    assert (again.cause, again.state) == ("failed", "waiting")
    assert planned(rig, "--notification", again.notification_id)["replayed"] == 1


_KILLED_AFTER_A_SLICE = """
import os, signal
from notify.cli import main
from notify.plans.runner import PlanRunner

perform = PlanRunner._perform

def perform_and_die(self, *arguments):
    if perform(self, *arguments):
        os.kill(os.getpid(), signal.SIGKILL)

PlanRunner._perform = perform_and_die
main()
"""


def test_a_plan_whose_worker_is_killed_sends_each_once(sqlite_rig: Rig) -> None:
    """The next `notify worker dead` goes on where the first one was."""
    rig = sqlite_rig
    environ = {**os.environ, "NOTIFY_CONFIG": str(rig.config)}
    with rig.worker("email"):
        with rig.worker("dead", pool="dead"):
            ids = fail(rig, 20)
        run(rig, "plan", "new", "replay", "--rate", 10, *WHY, "--start")
        killed = run_script(_KILLED_AFTER_A_SLICE, "worker", "dead", environ=environ)
        assert killed == -signal.SIGKILL
        left = bulk_plan(rig)
        assert (left.state, left.position > 0, left.open > 0) == (PlanState.RUNNING, True, True)
        with rig.worker("dead", pool="dead"):
            until(lambda: bulk_plan(rig).state is PlanState.DONE)
            until(lambda: rig.store.count(Filter()) == {Status.SENT: 20})
    assert bulk_plan(rig).results == {"done": {"replayed": 20}}
    assert sent(rig) == {str(id_): 1 for id_ in ids}


def bulk_plan(rig: Rig) -> BulkPlan:
    """Return the only bulk plan."""
    with rig.store.reading() as connection:
        found = read_plan(connection, 1)
    assert found is not None
    return found
