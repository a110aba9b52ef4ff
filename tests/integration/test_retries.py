"""Retries and times, end to end: producer, broker, worker, vendor's stand-in, and its clock."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import amqp
import psycopg
import pytest

from notify.message import Channel, Outcome, Status
from notify.sandbox import Behaviour
from notify.store import Filter, Story
from notify.topology import DEAD, EXCHANGE, queue_name
from tests.support.malformed import JSON
from tests.support.patience import connect
from tests.support.rig import Rig, surroundings, until
from tests.support.services import Users

QUEUE = queue_name(Channel.EMAIL, "normal")
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
KATHMANDU = ZoneInfo("Asia/Kathmandu")


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the lane's waits."""
    monkeypatch.setenv("NOTIFY_LANES__NORMAL__FIRST_WAIT", "0.2")
    monkeypatch.setenv("NOTIFY_LANES__NORMAL__LONGEST_WAIT", "1")


@pytest.fixture
def sqlite_rig(tmp_path: Path, broker_url: str, _impatient: None) -> Iterator[Rig]:
    """A worker's surroundings on SQLite, for what is the same on any database."""
    url = f"sqlite:///{tmp_path}/notify.db"
    with surroundings(tmp_path, broker_url=broker_url, store_url=url) as rig:
        yield rig


@pytest.fixture
def rig(tmp_path: Path, broker_url: str, store_url: str, _impatient: None) -> Iterator[Rig]:
    """A worker's surroundings on each kind of database."""
    with surroundings(tmp_path, broker_url=broker_url, store_url=store_url) as rig:
        yield rig


_CLOCK = """
CREATE SCHEMA IF NOT EXISTS ahead;
CREATE OR REPLACE FUNCTION ahead.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
    AS 'SELECT pg_catalog.clock_timestamp() + interval ''{seconds} seconds''';
ALTER DATABASE {database} SET search_path = public, ahead, pg_catalog;
"""


def _set_ahead(rig: Rig, by: timedelta) -> None:
    """
    Set the clock of a PostgreSQL database ahead, for the sessions that begin after the first time.

    It runs, unlike a `Clock`: workers compare it with their own monotonic clocks, and would find
    one that stands set back again and again.
    """
    url = rig.store._engine.url
    statements = _CLOCK.format(seconds=by.total_seconds(), database=url.database)
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(statements.encode())


def _story(rig: Rig, id_: UUID) -> Story:
    story = rig.store.get(id_)
    assert story is not None
    return story


def test_a_vendor_that_is_down_twice_gets_it_at_the_third_try(rig: Rig) -> None:
    """The message is acknowledged at once each time: the record keeps the waits."""
    with rig.worker("email-1"), rig.worker("email-2"):
        id_ = rig.request(to="flaky@sandbox.test")
        until(lambda: rig.status(id_) is Status.SENT)
        until(lambda: rig.waiting(QUEUE) == 0)
    story = _story(rig, id_)
    outcomes = [attempt.outcome for attempt in story.attempts]
    assert outcomes == [Outcome.NOT_SENT, Outcome.NOT_SENT, Outcome.ACCEPTED]
    assert [event.status for event in story.events] == [Status.QUEUED, Status.QUEUED, Status.SENT]
    assert (story.summary.spent, story.summary.possible_duplicate) == (3, False)
    assert len(rig.sandbox.messages()) == 1
    assert rig.waiting(DEAD) == 0


def test_one_notification_is_followed_by_its_id_through_two_processes(
    sqlite_rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that made the first call is gone by the time of the second."""
    rig = sqlite_rig
    # The first process must not spend all of them before it stops.
    monkeypatch.setenv("NOTIFY_LANES__NORMAL__ATTEMPTS", "100")
    rig.sandbox.switch.set(behaviour=Behaviour.DOWN)
    with rig.worker("email-1"):
        id_ = rig.request()
        until(lambda: "notify.queued" in rig.log("email-1"))
    rig.sandbox.switch.set(behaviour=None)
    with rig.worker("email-2"):
        until(lambda: rig.status(id_) is Status.SENT)
    events = [_events_about(id_, rig.log(name)) for name in ("email-1", "email-2")]
    assert events[0][0] == "notify.queued"
    assert events[1][-1] == "notify.sent"
    calls = [attempt.id for attempt in _story(rig, id_).attempts]
    assert all(str(call) in rig.log("email-1") + rig.log("email-2") for call in calls)


def _events_about(id_: UUID, log: str) -> list[str]:
    lines = map(json.loads, log.splitlines())
    return [line["event"] for line in lines if line.get("id") == str(id_)]


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_a_throttled_message_waits_as_long_as_it_is_told_and_keeps_its_attempts(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`Retry-After: 2` is obeyed, and time alone ends it."""
    monkeypatch.setenv("NOTIFY_LANES__NORMAL__DEADLINE", "3600")
    monkeypatch.setenv("NOTIFY_LANES__NORMAL__ATTEMPTS", "2")
    _set_ahead(rig, 0 * HOUR)
    with rig.worker():
        id_ = rig.request(to="throttled@sandbox.test")
        # One more than the attempts that it has.
        until(lambda: len(rig.sandbox.ledger.entries()) >= 3)
        _set_ahead(rig, HOUR)
        until(lambda: rig.status(id_) is Status.FAILED)
        until(lambda: rig.waiting(DEAD) == 1)
    story = _story(rig, id_)
    assert story.summary.spent == 0
    assert len(story.attempts) >= 3
    for one, following in itertools.pairwise(story.attempts):
        assert one.ended_at is not None
        assert following.started_at - one.ended_at >= 2 * SECOND
    assert "deadline" in (story.summary.reason or "")


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_what_is_scheduled_is_sent_at_its_time_and_not_before(rig: Rig) -> None:
    """It waits in the record, while the queue is empty."""
    _set_ahead(rig, 0 * HOUR)
    with rig.worker("email-1"), rig.worker("email-2"):
        send_at = datetime.now(UTC) + HOUR
        local = send_at.astimezone(KATHMANDU).isoformat()
        batch = rig.request(to=["ann@example.com", "bo@example.com"], send_at=local)
        single = rig.request(send_at=local)
        until(lambda: rig.store.count(Filter()) == {Status.SCHEDULED: 3})
        until(lambda: rig.waiting(QUEUE) == 0)
        assert rig.sandbox.messages() == []
        _set_ahead(rig, HOUR)
        until(lambda: len(rig.sandbox.messages()) == 3)
        until(lambda: rig.status(single) is Status.SENT)
    story = _story(rig, single)
    assert send_at <= story.attempts[0].started_at
    assert [event.status for event in story.events] == [Status.SCHEDULED, Status.SENT]
    assert rig.store.get(batch) is None
    assert rig.waiting(QUEUE, DEAD) == 0


def test_a_producer_must_be_who_it_says_and_its_retries_still_pass(
    sqlite_rig: Rig, users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker vouches for producers; what the service publishes again it vouches for itself."""
    rig = sqlite_rig
    monkeypatch.setenv("NOTIFY_CONTRACT__REQUIRE_USER_ID", "true")
    shop, url = users.add(rig.broker_url, write=f"^{EXCHANGE}$")
    with rig.worker():
        mine = _publish(url, shop, user_id=shop, to="flaky@sandbox.test")
        nameless = _publish(url, shop, user_id=None)
        with pytest.raises(amqp.PreconditionFailed, match="user_id"):
            _publish(url, shop, user_id="crm")
        until(lambda: rig.status(mine) is Status.SENT)
        until(lambda: rig.waiting(DEAD) == 1)
    assert len(_story(rig, mine).attempts) == 3
    assert rig.store.get(nameless) is None


def _publish(url: str, source: str, *, user_id: str | None, to: str = "ann@example.com") -> UUID:
    id_ = uuid4()
    body = json.dumps({"id": str(id_), "to": to, "subject": "Hello", "text": "Hi."})
    who = {"user_id": user_id} if user_id else {}
    message = amqp.Message(body.encode(), delivery_mode=2, **JSON, **who)
    with connect(url) as connection:
        channel = connection.channel()
        channel.confirm_select()
        channel.basic_publish_confirm(message, EXCHANGE, f"email.normal.{source}", timeout=10)
    return id_
