"""The publisher against a real broker: confirmed, refused, returned, interrupted, never hanging."""

from __future__ import annotations

import contextlib
import os
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from threading import Event
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import amqp
import pytest

from notify.errors import PublishError, Unconfirmed, Unroutable
from notify.message import Channel
from notify.publisher import Outgoing, Publisher
from notify.publisher.link import Link
from notify.service.broker import open_publisher
from notify.settings import LaneSettings, load
from notify.stack.rabbitmq import RabbitMQNode
from notify.topology import Topology, apply
from tests.support import queues
from tests.support.erlang import evaluate
from tests.support.patience import PATIENCE, connect
from tests.support.rig import until
from tests.support.services import broker_away, cut, memory_alarm

QUEUE = "notify.email.normal"
KEY = "email.normal.shop"


def outgoing(count: int = 1, *, key: str = KEY) -> Iterator[Outgoing]:
    """Yield messages with ids of their own."""
    for _ in range(count):
        yield Outgoing(body=b'{"to": "ann@example.com"}', routing_key=key, message_id=str(uuid4()))


def one(key: str = KEY) -> Outgoing:
    """Return a message with an id of its own."""
    return next(outgoing(key=key))


def stored(channel: amqp.Channel, queue: str = QUEUE) -> Counter[str]:
    """Remove messages until the queue is empty; return how often each id was there."""
    ids: Counter[str] = Counter()

    def count(message: amqp.Message) -> None:
        ids[message.properties["message_id"]] += 1

    # Consuming is ten times as fast as asking for each, but only an answer says that none is left.
    tag = channel.basic_consume(queue, no_ack=True, callback=count)
    with contextlib.suppress(TimeoutError):
        while True:
            channel.connection.drain_events(timeout=0.5)
    channel.basic_cancel(tag)
    while (message := channel.basic_get(queue, no_ack=True)) is not None:
        count(message)
    return ids


def refusal(publisher: Publisher, message: Outgoing | None = None) -> str:
    """Publish a message; return why it was not confirmed, or nothing."""
    try:
        publisher.publish(message or one())
    except Unconfirmed as error:
        return str(error)
    return ""


@pytest.fixture
def publisher(broker_url: str) -> Iterator[Publisher]:
    """A publisher to this test's broker."""
    with Publisher(broker_url, timeout=PATIENCE) as publisher:
        yield publisher


@pytest.fixture
def narrow_url(vhost_url: str) -> str:
    """The address of a broker whose queues hold one message."""
    narrow = Topology.of(list(Channel), {"normal": LaneSettings(max_length=1)})
    with connect(vhost_url) as connection:
        apply(narrow, connection)
    return vhost_url


def test_a_confirmed_message_is_in_the_queue(publisher: Publisher, channel: amqp.Channel) -> None:
    """Persistent, with its id, type and time."""
    message = one()
    publisher.publish(message)
    taken = channel.basic_get(QUEUE, no_ack=True)
    assert taken.body == message.body
    assert taken.properties["message_id"] == message.message_id
    assert taken.properties["delivery_mode"] == 2
    assert taken.properties["content_type"] == "application/json"
    assert abs(time.time() - taken.properties["timestamp"]) < 60


def test_headers_of_the_broker_are_left_out(publisher: Publisher, channel: amqp.Channel) -> None:
    """RabbitMQ before 4 would trust them."""
    headers = {
        "traceparent": "00-1-2-03",
        "x-death": [{"count": 9}],
        "x-first-death-queue": "q",
        "x-last-death-reason": "r",
        "x-delivery-count": 4,
        "x-acquired-count": 4,
    }
    publisher.publish(Outgoing(body=b"{}", routing_key=KEY, message_id="m", headers=headers))
    taken = channel.basic_get(QUEUE, no_ack=True)
    assert set(taken.headers) <= {"traceparent", "timestamp_in_ms", "x-delivery-count"}
    assert taken.headers.get("x-delivery-count", 0) == 0


def test_the_user_is_stamped_where_asked_for(broker_url: str, channel: amqp.Channel) -> None:
    """The broker checks it."""
    with Publisher(broker_url, timeout=PATIENCE, user_id="guest") as publisher:
        publisher.publish(one())
    assert channel.basic_get(QUEUE, no_ack=True).properties["user_id"] == "guest"


def test_a_message_no_queue_is_bound_for_is_reported(publisher: Publisher) -> None:
    """By its id; the messages around it are not affected."""
    lost = Outgoing(body=b"{}", routing_key="k", message_id="lost", exchange="notify.events")
    with pytest.raises(Unroutable, match="message lost") as caught:
        publisher.publish(lost)
    assert caught.value.message_id == "lost"
    results = list(publisher.publish_many([one(), lost, one(), lost, one()]))
    assert [type(result) for result in results] == [
        type(None),
        Unroutable,
        type(None),
        Unroutable,
        type(None),
    ]


def test_the_same_id_twice_in_flight_is_told_apart(publisher: Publisher) -> None:
    """One of them is returned, the other stored."""
    good = one()
    lost = Outgoing(
        body=good.body, routing_key=KEY, message_id=good.message_id, exchange="notify.events"
    )
    results = list(publisher.publish_many([good, lost, lost, good]))
    assert [type(result) for result in results] == [type(None), Unroutable, Unroutable, type(None)]


def test_a_full_queue_refuses(narrow_url: str) -> None:
    """A nack is an error of its own message only."""
    with Publisher(narrow_url, timeout=PATIENCE) as publisher:
        publisher.publish(one())
        message = one()
        with pytest.raises(Unconfirmed, match=f"message {message.message_id} refused: the queue"):
            _insist(publisher, message)
        publisher.publish(one("sms.normal.shop"))


def _insist(publisher: Publisher, message: Outgoing) -> None:
    """Publish a few times: the broker notices a moment later that the queue is full."""
    for _ in range(20):
        publisher.publish(message)


def test_a_message_that_does_not_fit_amqp_harms_no_other(
    publisher: Publisher, broker_url: str
) -> None:
    """A header AMQP has no type for, a key that is too long."""
    bad = [
        Outgoing(body=b"{}", routing_key=KEY, message_id="header", headers={"x": object()}),
        Outgoing(body=b"{}", routing_key="k" * 300, message_id="key"),
    ]
    results = list(publisher.publish_many([one(), *bad, one()]))
    assert [result and result.message_id for result in results] == [None, "header", "key", None]
    assert queues.waiting(broker_url, QUEUE) == 2


def test_an_unknown_exchange_is_reported_and_the_next_message_works(publisher: Publisher) -> None:
    """The broker closes the channel; the publisher connects again."""
    with pytest.raises(Unconfirmed, match="no exchange 'nowhere'"):
        publisher.publish(Outgoing(body=b"{}", routing_key=KEY, message_id="m", exchange="nowhere"))
    publisher.publish(one())


def test_many_messages_are_taken_lazily(publisher: Publisher, broker_url: str) -> None:
    """No more than a window is ahead of what was answered, so memory stays small."""
    taken = 0

    def source() -> Iterator[Outgoing]:
        nonlocal taken
        for message in outgoing(100_000):
            taken += 1
            yield message

    results = publisher.publish_many(source())
    assert list(islice(results, 1000)) == [None] * 1000
    assert 1000 <= taken <= 1000 + 256
    results.close()  # type: ignore[attr-defined] # it is a generator
    publisher.publish(one())
    assert queues.waiting(broker_url, QUEUE) <= taken + 1


def test_a_slow_source_does_not_delay_messages(publisher: Publisher) -> None:
    """A message waits at most for the next one, not for a whole window."""
    made = 0

    def source() -> Iterator[Outgoing]:
        nonlocal made
        for message in outgoing(6):
            made += 1
            yield message
            time.sleep(0.03)

    ahead = [made - done for done, _ in enumerate(publisher.publish_many(source()), 1)]
    assert len(ahead) == 6
    assert max(ahead) <= 1


def test_five_thousand_messages_arrive_once(publisher: Publisher, channel: amqp.Channel) -> None:
    """All confirmed, all there."""
    messages = list(outgoing(5000))
    assert list(publisher.publish_many(messages)) == [None] * 5000
    assert stored(channel) == Counter(message.message_id for message in messages)


def test_threads_share_a_publisher(publisher: Publisher, channel: amqp.Channel) -> None:
    """Eight at once, some with batches: each message is confirmed and stored exactly once."""
    work = [list(outgoing(200)) for _ in range(8)]

    def publish(messages: list[Outgoing]) -> None:
        for message in messages[:100]:
            publisher.publish(message)
        assert set(publisher.publish_many(messages[100:])) == {None}

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(publish, work))
    assert stored(channel) == Counter(message.message_id for part in work for message in part)


def test_a_broker_under_a_memory_alarm_is_reported_in_time(
    rabbitmq: RabbitMQNode, broker_url: str
) -> None:
    """With the reason; and when it is over, publishing works again."""
    # One second may be too short for a busy broker, without an alarm and to tell of it.
    with Publisher(broker_url, timeout=1.0) as publisher:
        until(lambda: refusal(publisher) == "")
        with memory_alarm(rabbitmq):
            until(lambda: "memory or disk alarm" in refusal(publisher))
        until(lambda: refusal(publisher) == "")


def test_large_messages_under_an_alarm_do_not_block_for_ever(
    rabbitmq: RabbitMQNode, broker_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than the network's buffers contain: the write must be bounded."""
    links = 0

    def link(*args: Any, **options: Any) -> Link:
        nonlocal links
        links += 1
        return Link(*args, **options)

    monkeypatch.setattr("notify.publisher.publisher.Link", link)
    large = [
        Outgoing(body=b"x" * 1_000_000, routing_key=KEY, message_id=str(number))
        for number in range(64)
    ]
    with Publisher(broker_url, timeout=1.0) as publisher, memory_alarm(rabbitmq):
        results = list(publisher.publish_many(large))
    # One timeout for each message would break as many links.
    assert links < len(large) / 2
    assert all(isinstance(result, Unconfirmed) for result in results)


def test_a_broker_that_was_away_is_found_again(rabbitmq: RabbitMQNode, broker_url: str) -> None:
    """Between two messages the caller notices nothing; during one it gets an error in time."""
    shift = 0.0

    def clock() -> float:
        return time.monotonic() + shift

    first, second, third, lost = outgoing(4)
    with (
        Publisher(broker_url, timeout=PATIENCE, clock=clock) as patient,
        Publisher(broker_url, timeout=2.0) as hurried,
    ):
        patient.publish(first)
        with broker_away(rabbitmq, broker_url):
            pass
        # A link that was just used is not checked.
        shift = 1.0
        patient.publish(second)
        until(lambda: refusal(hurried) == "")
        with broker_away(rabbitmq, broker_url), pytest.raises(PublishError):
            hurried.publish(lost)
        until(lambda: refusal(hurried, third) == "")
    with connect(broker_url) as connection, connection.channel() as channel:
        there = stored(channel)
    assert (there[first.message_id], there[second.message_id]) == (1, 1)
    assert there[third.message_id] >= 1
    assert there[lost.message_id] == 0


def test_nothing_is_lost_in_silence_when_connections_are_cut(
    rabbitmq: RabbitMQNode, publisher: Publisher, broker_url: str
) -> None:
    """While publishing, twice: every message is confirmed and stored, or reported."""
    ids: list[str] = []

    def cut_twice() -> None:
        until(lambda: len(ids) > 500)
        cut(rabbitmq, broker_url)
        until(lambda: len(ids) > 1500)
        cut(rabbitmq, broker_url)

    with ThreadPoolExecutor(1) as threads:
        cuts = threads.submit(cut_twice)

        def source() -> Iterator[Outgoing]:
            while not cuts.done():
                for message in outgoing(100):
                    ids.append(message.message_id)
                    yield message

        results = list(publisher.publish_many(source()))
        cuts.result()
    confirmed = {name for name, result in zip(ids, results, strict=True) if result is None}
    reported = {result.message_id for result in results if result is not None}
    assert reported
    assert confirmed | reported == set(ids)
    with connect(broker_url) as connection, connection.channel() as channel:
        there = stored(channel)
    assert confirmed <= set(there)
    assert set(there.values()) == {1}


def test_an_idle_publisher_connects_again(broker_url: str) -> None:
    """After its heartbeat has passed it does not use an old connection."""
    now = time.monotonic()
    shift = 0.0

    def clock() -> float:
        return time.monotonic() + shift

    with Publisher(broker_url, timeout=PATIENCE, heartbeat=30, clock=clock) as publisher:
        publisher.publish(one())
        first = publisher._link
        publisher.publish(one())
        assert publisher._link is first
        shift = now + 31
        publisher.publish(one())
        assert publisher._link is not first


def test_the_services_publishers_keep_the_configured_heartbeat(
    broker_url: str, rabbitmq: RabbitMQNode
) -> None:
    """The broker closes the connection of a dead machine after the configured time."""
    settings = load(environ={"NOTIFY_AMQP__URL": broker_url, "NOTIFY_AMQP__HEARTBEAT": "17"})
    with open_publisher(settings) as publisher:
        publisher.publish(one())
        listed = evaluate(rabbitmq, "rabbit_networking:connection_info_all([vhost, timeout]).")
    host = urlsplit(broker_url).path.strip("/")
    assert f'{{vhost,<<"{host}">>}},{{timeout,17}}' in listed


def test_a_forked_child_uses_a_connection_of_its_own(
    publisher: Publisher, channel: amqp.Channel
) -> None:
    """The child may publish and close; the parent continues with its own connection."""
    publisher.publish(one())
    link = publisher._link
    pid = os.fork()
    if pid == 0:
        try:
            publisher.publish(one())
            publisher.close()
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert set(publisher.publish_many(outgoing(10))) == {None}
    assert publisher._link is link
    assert sum(stored(channel).values()) == 12


def test_closing_ends_the_wait_of_others(broker_url: str) -> None:
    """A thread that still publishes gets an error."""
    publisher = Publisher(broker_url, timeout=PATIENCE)
    results: list[PublishError | None] = []
    enough = Event()

    def source() -> Iterator[Outgoing]:
        while not enough.is_set():
            yield one()

    def publish() -> bool:
        for result in publisher.publish_many(source()):
            results.append(result)
            if "closed" in str(result):
                return True
        return False

    with ThreadPoolExecutor(1) as threads:
        ended = threads.submit(publish)
        try:
            until(lambda: bool(results))
            publisher.close()
            # It is set later: only being closed ends the publishing.
            assert ended.result(PATIENCE)
        finally:
            enough.set()
