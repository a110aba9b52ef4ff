"""Events from a real record through a real broker, with and without subscribers."""

from __future__ import annotations

import json
import signal
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import amqp
import pytest
from sqlalchemy import select

from notify.errors import PublishError
from notify.message import Status
from notify.periodic import PeriodicThread
from notify.publisher import Publisher
from notify.relays import EventRows, Relay
from notify.relays.relay import RELAY_LEASE
from notify.store import Store
from notify.store.tables import events
from notify.topology import EVENTS
from tests.support.forked import run_script
from tests.support.patience import PATIENCE
from tests.support.recording import NOW, accepted, begin
from tests.support.rig import Rig, until
from tests.support.services import Users

NOBODY_LISTENS = "pyamqp://guest:guest@127.0.0.1:1//"


@pytest.fixture
def subscribe(channel: amqp.Channel) -> Subscription:
    """A subscriber to all events of this test."""
    return Subscription(channel)


class Subscription:
    """An exclusive queue with all events."""

    def __init__(self, channel: amqp.Channel, key: str = "#") -> None:
        self._channel = channel
        self._queue = channel.queue_declare("", exclusive=True).queue
        channel.queue_bind(self._queue, EVENTS, key)
        self.got: list[amqp.Message] = []

    def messages(self) -> list[amqp.Message]:
        """Return every message so far."""
        while (message := self._channel.basic_get(self._queue, no_ack=True)) is not None:
            self.got.append(message)
        return self.got

    def bodies(self) -> list[dict[str, Any]]:
        """Return their bodies, decoded."""
        return [json.loads(message.body) for message in self.messages()]


def _record_sent(store: Store, count: int) -> None:
    entries = [begin(store) for _ in range(count)]
    store.record([accepted(entry) for entry in entries])


def test_a_worker_publishes_the_outcome_of_each_notification(
    rig: Rig, subscribe: Subscription
) -> None:
    """Sent and refused, with the producer's metadata, persistent, under the event's id."""
    with rig.worker():
        sent = rig.request(metadata={"order": "17"})
        refused = rig.request(to="invalid@sandbox.test")
        until(lambda: len(subscribe.messages()) == 2)
    told = {body["id"]: body for body in subscribe.bodies()}
    assert told[str(sent)]["status"] == "sent"
    assert told[str(sent)]["metadata"] == {"order": "17"}
    assert told[str(refused)]["status"] == "rejected"
    assert told[str(refused)]["code"]
    for message in subscribe.got:
        assert message.properties["delivery_mode"] == 2
        assert message.properties["message_id"] == json.loads(message.body)["event_id"]
    keys = {message.delivery_info["routing_key"] for message in subscribe.got}
    assert keys == {"email.sent.shop", "email.rejected.shop"}


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_producer_receives_an_event_for_each_invalid_message(
    rig: Rig, subscribe: Subscription
) -> None:
    """Refused by a worker, or unroutable at the exchange: confirmed, then reported by an event."""
    good = {"to": "ada@example.com", "subject": "Hello", "text": "Hi."}
    wrong = {
        "email.normal.shop": {**good, "tempalte": "x"},
        "email.normal.Shop": good,
        "email.urgent.shop": good,
    }
    ids = {key: str(uuid4()) for key in wrong}
    with rig.worker(), rig.worker("dead", pool="dead"):
        for key, request in wrong.items():
            rig.publish(json.dumps({**request, "id": ids[key]}).encode(), key)
        until(lambda: len(subscribe.messages()) == len(wrong))
    told = {body["id"]: body for body in subscribe.bodies()}
    whys = {key: told[ids[key]]["problems"][0]["why"] for key in wrong}
    assert whys["email.normal.shop"] == "unknown field, did you mean `template`?"
    assert whys["email.normal.Shop"].endswith("a source that is not in lower case")
    assert whys["email.urgent.shop"].endswith("there is no such lane")
    keys = {message.delivery_info["routing_key"] for message in subscribe.got}
    assert keys == {"email.refused.shop", "none.refused.shop"}
    assert all(message.properties["delivery_mode"] == 2 for message in subscribe.got)


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_the_last_events_are_published_before_a_stop(
    store: Store, broker_url: str, subscribe: Subscription
) -> None:
    """They do not wait for the next start."""
    _record_sent(store, 1)
    with Publisher(broker_url, timeout=PATIENCE) as publisher:
        step = Relay(EventRows(), store, publisher, clock=lambda: NOW).step
        relay = PeriodicThread(
            "events",
            step,
            period=0.5,
            last=step,
        )
        relay.start()
        relay.stop(timeout=PATIENCE)
    assert len(subscribe.messages()) == 1


def test_the_query_for_events_to_publish_uses_an_index(store: Store) -> None:
    """It runs twice a second in every worker, and the record has millions of events."""
    columns = events.c
    query = select(columns.id).where(columns.to_publish.is_(True)).order_by(columns.id).limit(9)
    with store.reading() as connection:
        if connection.dialect.name == "postgresql":
            # An empty table is scanned whole otherwise.
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            explain = "EXPLAIN"
        else:
            explain = "EXPLAIN QUERY PLAN"
        statement = query.compile(connection, compile_kwargs={"literal_binds": True})
        plan = connection.exec_driver_sql(f"{explain} {statement}").all()
    assert "ix_events_to_publish" in str(plan)


def test_events_without_a_subscriber_are_marked_as_published(store: Store, broker_url: str) -> None:
    """They must not wait for ever."""
    _record_sent(store, 3)
    with Publisher(broker_url, timeout=PATIENCE) as publisher:
        relay = Relay(EventRows(), store, publisher, clock=lambda: NOW)
        assert relay.publish() == 3
        assert relay.publish() == 0


def test_events_wait_while_the_broker_is_away(
    store: Store, broker_url: str, subscribe: Subscription
) -> None:
    """They are released at once, and published in order when it is back."""
    _record_sent(store, 5)
    with Publisher(NOBODY_LISTENS, timeout=0.2) as away:
        relay = Relay(EventRows(), store, away, clock=lambda: NOW)
        with pytest.raises(PublishError):
            relay.publish()
    with Publisher(broker_url, timeout=PATIENCE) as publisher:
        assert Relay(EventRows(), store, publisher, clock=lambda: NOW).publish() == 5
    sequences = [body["sequence"] for body in subscribe.bodies()]
    assert len(sequences) == 5
    assert sequences == sorted(sequences)


def test_two_relays_share_the_work(store: Store, broker_url: str, subscribe: Subscription) -> None:
    """Each event is published once while no relay dies, however many workers run."""
    _record_sent(store, 1200)

    def publish() -> None:
        with Publisher(broker_url, timeout=PATIENCE) as publisher:
            relay = Relay(EventRows(), store, publisher, clock=lambda: NOW)
            while relay.publish():
                pass

    threads = [threading.Thread(target=publish) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts = Counter(body["event_id"] for body in subscribe.bodies())
    assert len(counts) == 1200
    assert set(counts.values()) == {1}


def test_a_relay_killed_after_the_confirm_publishes_again_under_the_same_id(
    store: Store, store_url: str, broker_url: str, subscribe: Subscription
) -> None:
    """At least once: the broker has them, and the record does not know it yet."""
    _record_sent(store, 3)
    script = """
        import os, signal, sys
        from datetime import datetime
        from notify.relays import EventRows, Relay
        from notify.publisher import Publisher
        from notify.store import Store

        class Killed(Publisher):
            def publish_many(self, messages):
                confirmed = list(super().publish_many(messages))
                os.kill(os.getpid(), signal.SIGKILL)
                return iter(confirmed)

        now = datetime.fromisoformat(sys.argv[3])
        store, publisher = Store.open(sys.argv[1]), Killed(sys.argv[2], timeout=90)
        Relay(EventRows(), store, publisher, clock=lambda: now).publish()
    """
    assert run_script(script, store_url, broker_url, NOW.isoformat()) == -signal.SIGKILL
    assert len(subscribe.messages()) == 3
    with Publisher(broker_url, timeout=PATIENCE) as publisher:
        assert Relay(EventRows(), store, publisher, clock=lambda: NOW).publish() == 0
        assert Relay(EventRows(), store, publisher, clock=lambda: NOW + RELAY_LEASE).publish() == 3
    counts = Counter(body["event_id"] for body in subscribe.bodies())
    assert sorted(counts.values()) == [2, 2, 2]


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_the_thread_outlives_a_broker_that_is_away(store: Store) -> None:
    """It waits without a hot loop, and stops on request."""
    _record_sent(store, 1)
    looks: list[datetime] = []

    def clock() -> datetime:
        looks.append(datetime.now(UTC))
        return NOW

    with Publisher(NOBODY_LISTENS, timeout=0.1) as away:
        step = Relay(EventRows(), store, away, clock=clock).step
        relay = PeriodicThread("events", step, period=0.5, last=step)
        relay.start()
        # Each step reads the clock before and after it publishes.
        until(lambda: len(looks) >= 3)
        relay.stop(timeout=PATIENCE)
    assert looks[2] - looks[1] > timedelta(seconds=1)


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_the_command_line_follows_events_until_ctrl_c(rig: Rig) -> None:
    """One line an event, of the wanted kind only, and exit code 0."""
    process = rig.command("events", "--follow", "--status", "sent", "--json")
    try:
        until(lambda: "following" in process.err())
        assert process.err() == "following notify.events by *.sent.*; Ctrl-C stops\n"
        with rig.worker():
            rig.request(to="invalid@sandbox.test")
            id_ = rig.request()
            until(lambda: process.out().endswith("\n"))
    finally:
        process.send_signal(signal.SIGINT)
    done = process.done()
    assert (done.code, json.loads(done.out)["id"]) == (0, str(id_))


def test_the_command_line_shows_the_newest_on_record(rig: Rig) -> None:
    """Readable, newest last, without recipients; with a hint if none matches."""
    with rig.worker():
        sent, refused = rig.request(), rig.request(to="invalid@sandbox.test")
        until(lambda: {rig.status(sent), rig.status(refused)} == {Status.SENT, Status.REJECTED})
    done = rig.notify("events", "--since", "1h")
    assert done.code == 0
    assert len(done.out.splitlines()) == 2
    assert f"sent        {sent}  email.normal.shop  through sendgrid" in done.out
    assert "sandbox.test" not in done.out
    nothing = rig.notify("events", "--channel", "push")
    assert (nothing.code, nothing.err) == (0, "no event on record matches\n")


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_user_that_may_not_follow_learns_the_missing_rights(rig: Rig, users: Users) -> None:
    """Such as a worker's user, which may not declare queues."""
    _, url = users.add(rig.broker_url, read="^notify")
    done = rig.notify("events", "--follow", NOTIFY_AMQP__URL=url)
    assert done.code == 1
    assert "needs the rights to configure, write and read ^amq\\.gen-" in done.err
