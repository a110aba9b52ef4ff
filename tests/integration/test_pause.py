"""An outage of the record, with a real worker: it pauses, and resumes by itself."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from notify.message import Channel, Status
from notify.stack.rabbitmq import RabbitMQNode
from notify.store import Filter
from notify.topology import DEAD, queue_name
from tests.support import queues
from tests.support.holding import held
from tests.support.patience import PATIENCE, connect
from tests.support.rig import Rig, surroundings, until
from tests.support.services import PostgreSQL, broker_away

NORMAL = queue_name(Channel.EMAIL, "normal")
IDLE = [queue_name(Channel.EMAIL, lane) for lane in ("critical", "bulk")]


@pytest.fixture
def rig(tmp_path: Path, broker_url: str, postgresql: PostgreSQL) -> Iterator[Rig]:
    """A worker's surroundings on PostgreSQL."""
    with (
        postgresql.record() as store_url,
        surroundings(tmp_path, broker_url=broker_url, store_url=store_url) as rig,
    ):
        yield rig


@contextmanager
def away(postgresql: PostgreSQL, rig: Rig) -> Iterator[None]:
    """Shut the record's server down for a while."""
    postgresql.pause()
    try:
        yield
    finally:
        postgresql.resume()
        rig.store.close()


def logged(rig: Rig, event: str, *, name: str = "email") -> int:
    """Count how often the worker has logged something."""
    return rig.log(name).count(f'"{event}"')


def consumers(rig: Rig, *names: str) -> int:
    """Count the consumers of queues; a cancelled one counts while it has messages."""
    return queues.consumers(rig.broker_url, *names)


def delivery_counts(rig: Rig) -> list[int]:
    """Return how often each waiting message was requeued, and leave it there."""
    counts = []
    with connect(rig.broker_url) as connection:
        channel = connection.channel()
        while (message := channel.basic_get(NORMAL)) is not None:
            headers = message.properties.get("application_headers") or {}
            counts.append(int(headers.get("x-delivery-count", 0)))
    return counts


def sent_once(rig: Rig) -> bool:
    """Return whether the provider sandbox received each message once."""
    calls = Counter(message.notify_id for message in rig.sandbox.messages())
    return set(calls.values()) == {1}


def test_an_outage_under_load_stops_consumption_and_nothing_is_lost_or_sent_twice(
    rig: Rig, postgresql: PostgreSQL
) -> None:
    """No call is made, the log has few lines, and consumption resumes by itself."""
    with rig.worker():
        first = rig.requests(20)
        until(lambda: rig.store.count(Filter()) == {Status.SENT: len(first)})
        with away(postgresql, rig):
            held = rig.requests(10)
            until(lambda: logged(rig, "notify.paused") == 1)
            until(lambda: consumers(rig, *IDLE) == 0)
            failures = logged(rig, "notify.store_away")
            # A busy worker may have paused before it received all of these.
            before = rig.waiting(NORMAL)
            waiting = rig.requests(30)
            time.sleep(5)
            assert rig.waiting(NORMAL) == before + len(waiting)
            assert len(rig.sandbox.messages()) == len(first)
            # One of the two claimers may have been waiting for the record as consumption stopped.
            assert failures <= logged(rig, "notify.store_away") <= failures + 1 < 100
        total = len(first) + len(held) + len(waiting)
        until(lambda: rig.store.count(Filter()) == {Status.SENT: total})
        until(lambda: consumers(rig, *IDLE, NORMAL) == 3)
        assert logged(rig, "notify.paused") == logged(rig, "notify.resumed") == 1
    assert sent_once(rig)
    assert rig.waiting(NORMAL, DEAD) == 0


def test_a_stop_during_an_outage_requeues_messages_and_loses_none(
    rig: Rig, postgresql: PostgreSQL
) -> None:
    """It exits with 0 during it; only the stop counts as a delivery, not the outage."""
    with rig.worker("first") as process, away(postgresql, rig):
        rig.requests(10)
        until(lambda: logged(rig, "notify.paused", name="first") == 1)
        until(lambda: consumers(rig, *IDLE) == 0)
        # A busy worker may have paused before it received all of these.
        left = rig.waiting(NORMAL)
        assert left < 10
        time.sleep(3)
        assert rig.waiting(NORMAL) == left
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        assert logged(rig, "notify.stop_unfinished", name="first") == 0
        until(lambda: rig.waiting(NORMAL) == 10)
        counts = delivery_counts(rig)
        assert max(counts) == 1
        # More, if some were delivered as consumption stopped: py-amqp returns those at once.
        assert sum(counts) >= 10 - left
    with rig.worker("second"):
        until(lambda: rig.store.count(Filter()) == {Status.SENT: 10})
    assert sent_once(rig)
    assert rig.waiting(NORMAL, DEAD) == 0


def test_a_stop_waits_for_the_record_of_calls_that_were_made(
    rig: Rig, postgresql: PostgreSQL
) -> None:
    """Without it their outcome would be unknown; it is written once the record is back."""
    with rig.worker() as process, held(rig.sandbox) as sent:
        ids = rig.requests(5)
        until(lambda: rig.store.count(Filter()) == {Status.SENDING: len(ids)})
        with away(postgresql, rig):
            until(lambda: len(rig.sandbox.messages()) == len(ids))
            process.send_signal(signal.SIGTERM)
            sent.set()
            time.sleep(2)
            assert process.poll() is None
        assert process.wait(PATIENCE) == 0
    assert rig.store.count(Filter()) == {Status.SENT: len(ids)}
    assert rig.waiting(NORMAL, DEAD) == 0


def test_a_worker_outlives_the_loss_of_both(
    tmp_path: Path, broker_url: str, rabbitmq: RabbitMQNode, postgresql: PostgreSQL
) -> None:
    """The broker goes while the record is away: paused before and after, then all are sent."""
    with (
        postgresql.record() as store_url,
        surroundings(tmp_path, broker_url=broker_url, store_url=store_url) as rig,
        rig.worker(),
    ):
        with away(postgresql, rig):
            ids = rig.requests(20)
            until(lambda: logged(rig, "notify.paused") == 1)
            with broker_away(rabbitmq, broker_url):
                until(lambda: logged(rig, "notify.broker_away") > 0)
            until(lambda: rig.waiting(NORMAL) == len(ids))
            ids += rig.requests(5)
            time.sleep(3)
            assert consumers(rig, *IDLE, NORMAL) == 0
        sent = {Status.SENT: len(ids)}
        until(lambda: rig.store.count(Filter()) == sent)
        until(lambda: consumers(rig, *IDLE, NORMAL) == 3)
        assert sent_once(rig)
        assert rig.waiting(NORMAL, DEAD) == 0


def test_a_locked_sqlite_file_makes_the_worker_wait(tmp_path: Path, broker_url: str) -> None:
    """A backup copies the file under a lock: no call is made without its record."""
    path = tmp_path / "notify.db"
    with (
        surroundings(tmp_path, broker_url=broker_url, store_url=f"sqlite:///{path}") as rig,
        rig.worker(),
    ):
        until(lambda: consumers(rig, NORMAL) == 1)
        with closing(sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)) as lock:
            lock.execute("BEGIN IMMEDIATE")
            ids = rig.requests(100)
            time.sleep(3)
            assert rig.sandbox.messages() == []
            lock.rollback()
        until(lambda: rig.store.count(Filter()) == {Status.SENT: len(ids)})
        assert sent_once(rig)
