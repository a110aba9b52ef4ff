"""Connecting again: for how long, how often, and the error that the caller gets."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from notify.errors import ConfigError, PublishError, Unconfirmed
from notify.publisher import Outgoing, Publisher, connect
from notify.publisher.dialer import Dialer
from notify.publisher.link import Link
from tests.support.rig import until

MESSAGE = Outgoing(body=b"{}", routing_key="email.normal.shop", message_id="m-1")
REFUSING = "pyamqp://guest:guest@127.0.0.1:1//"


class Clock:
    """A clock that only `sleep` advances."""

    def __init__(self) -> None:
        self.now = 0.0
        self.naps: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Record the wait and advance the clock."""
        self.naps.append(seconds)
        self.now += seconds


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A server on a port that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def address(server: socket.socket) -> str:
    """The address of a broker on this server's port."""
    return f"pyamqp://127.0.0.1:{server.getsockname()[1]}//"


def accepted(server: socket.socket) -> int:
    """How many connections wait to be accepted; they are closed."""
    server.setblocking(False)
    count = 0
    with suppress(BlockingIOError):
        while True:
            server.accept()[0].close()
            count += 1
    return count


def refuse(**_: object) -> Link:
    """Stand for a broker that is down."""
    raise ConnectionRefusedError


def test_attempts_are_ever_further_apart_up_to_a_bound() -> None:
    """With the largest jitter: doubled, then two seconds each, until the deadline."""

    class Most(random.Random):
        def uniform(self, a: float, b: float) -> float:
            return max(a, b)

    clock = Clock()
    dialer = Dialer(refuse, clock=clock, sleep=clock.sleep, rng=Most())
    with pytest.raises(ConnectionRefusedError):
        dialer.connect(10.0)
    assert clock.naps == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0, 0.9])


def test_attempts_are_spread() -> None:
    """Full jitter: two publishers of a fleet do not reconnect at the same moment."""
    one, other = Clock(), Clock()
    for clock, seed in ((one, 1), (other, 2)):
        rng = random.Random(seed)
        dialer = Dialer(refuse, clock=clock, sleep=clock.sleep, rng=rng)
        with pytest.raises(ConnectionRefusedError):
            dialer.connect(5.0)
    assert one.naps != other.naps


def test_a_broker_that_is_down_is_reported_within_the_timeout() -> None:
    """With the message's id and the next action."""
    clock = Clock()
    publisher = Publisher(REFUSING, timeout=5.0, clock=clock, sleep=clock.sleep)
    with pytest.raises(Unconfirmed, match="message m-1 not confirmed: connection refused"):
        publisher.publish(MESSAGE)
    assert clock.now == pytest.approx(5.0)


def test_all_messages_of_a_window_fail_together() -> None:
    """A batch does not pay the timeout for each of its messages."""
    clock = Clock()
    publisher = Publisher(REFUSING, timeout=5.0, window=10, clock=clock, sleep=clock.sleep)
    results = list(publisher.publish_many([MESSAGE] * 20))
    assert len([one for one in results if isinstance(one, Unconfirmed)]) == 20
    assert clock.now == pytest.approx(10.0)


def test_a_broker_that_does_not_answer_is_given_up(silent: socket.socket) -> None:
    """It accepts the connection and never answers."""
    publisher = Publisher(address(silent), timeout=0.3)
    with pytest.raises(Unconfirmed, match="no answer in time"):
        publisher.publish(MESSAGE)


def test_threads_wait_no_longer_than_their_own_time(silent: socket.socket) -> None:
    """The leader's two attempts to connect take the time of all: no other thread tries again."""
    clock = Clock()

    def sleep(_: float) -> None:
        until(lambda: len(publisher._pending) == 10)
        clock.now = 0.5

    publisher = Publisher(address(silent), timeout=0.5, clock=clock, sleep=sleep)
    failed: list[PublishError] = []

    def publish() -> None:
        try:
            publisher.publish(MESSAGE)
        except PublishError as error:
            failed.append(error)

    threads = [threading.Thread(target=publish) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(failed) == 10
    assert accepted(silent) == 2


@pytest.mark.parametrize(
    "url",
    [
        "amqp://guest:guest@127.0.0.1//",
        "librabbitmq://127.0.0.1//",
        "pyamqp://127.0.0.1:port//",
        "127.0.0.1",
        "",
    ],
)
def test_another_kind_of_address_is_refused(url: str) -> None:
    """The error does not repeat it, since it may contain a password."""
    with pytest.raises(ConfigError, match="must read pyamqp://user:password@host:port/vhost"):
        connect(url)


def test_a_wrong_address_fails_every_waiting_message() -> None:
    """Another attempt would not help, so no message waits."""
    publisher = Publisher("amqp://127.0.0.1//")
    with pytest.raises(Unconfirmed, match="must read pyamqp://"):
        publisher.publish(MESSAGE)


def test_a_closed_publisher_accepts_no_message() -> None:
    """The error says so."""
    publisher = Publisher(REFUSING)
    publisher.close()
    with pytest.raises(Unconfirmed, match="closed"):
        publisher.publish(MESSAGE)
