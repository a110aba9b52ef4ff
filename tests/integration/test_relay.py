"""Relays between a real record and a real broker: each due row published, none lost."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import amqp
import pytest
from structlog.testing import capture_logs

from notify.contract import Incoming, Limits, decode
from notify.errors import PublishError
from notify.message import Channel, Notification, Status
from notify.periodic import PeriodicThread
from notify.publisher import Outgoing, Publisher
from notify.relays import BATCH_SIZE, DueRows, Relay
from notify.relays.due import RETRY
from notify.relays.relay import RELAY_LEASE
from notify.stack.rabbitmq import RabbitMQNode
from notify.store import Entry, Filter, Store
from notify.store.delivery.cancel import cancel_waiting
from notify.topology import DEAD, WORK, queue_name
from tests.support.patience import PATIENCE, connect
from tests.support.recording import LEASE
from tests.support.rig import Rig, until
from tests.support.services import broker_away

QUEUE = queue_name(Channel.EMAIL, "normal")
SECOND = timedelta(seconds=1)


def _now() -> datetime:
    return datetime.now(UTC)


def _scheduled(
    store: Store, count: int, *, due_at: datetime, lane: str = "normal"
) -> list[Notification]:
    """Record requests like a worker that received them before their time."""
    made = []
    for number in range(count):
        request = {"id": str(uuid4()), "to": f"r{number}@example.com", "subject": "Hi", "text": "x"}
        incoming = Incoming(json.dumps(request).encode(), f"email.{lane}.shop", "application/json")
        made += decode(incoming, Limits(max_recipients=1))
    entries = [Entry(each, Status.SCHEDULED, due_at=due_at) for each in made]
    store.claim(entries, now=due_at - SECOND, lease=LEASE)
    return made


def _ids(channel: amqp.Channel) -> Counter[str]:
    """Consume the queue, and count its messages by id."""
    ids: Counter[str] = Counter()
    while (message := channel.basic_get(QUEUE, no_ack=True)) is not None:
        ids[message.properties["message_id"]] += 1
    return ids


class _Crash(Exception):
    """The process ends here."""


class _DiesAfterwards(Publisher):
    """A publisher in a process that dies once the broker has all."""

    def publish_many(self, messages: Iterable[Outgoing]) -> Iterator[PublishError | None]:
        """Publish, and crash."""
        for _ in super().publish_many(messages):
            pass
        raise _Crash


def _thread(store: Store, publisher: Publisher) -> PeriodicThread:
    """Wire a relay as a worker does."""
    return PeriodicThread("relay", Relay(DueRows(), store, publisher).step, period=0.5)


def test_three_relays_publish_each_due_row_once(rig: Rig, channel: amqp.Channel) -> None:
    """However many workers run; then they wait in the queue."""
    count = 2 * BATCH_SIZE + 100
    made = _scheduled(rig.store, count, due_at=_now() - SECOND)
    stores = [Store.open(str(rig.store._engine.url)) for _ in range(3)]
    publishers = [Publisher(rig.broker_url, timeout=PATIENCE) for _ in range(3)]
    relays = [_thread(*pair) for pair in zip(stores, publishers, strict=True)]
    for relay in relays:
        relay.start()
    until(lambda: rig.store.count(Filter()) == {Status.QUEUED: count})
    time.sleep(1)
    for relay, store, publisher in zip(relays, stores, publishers, strict=True):
        relay.stop(timeout=5)
        publisher.close()
        store.close()
    assert _ids(channel) == Counter(str(each.id) for each in made)


def test_rows_of_a_dead_relay_are_published_again_and_sent_once(rig: Rig) -> None:
    """It died before it marked them; when the lease ends another one publishes them."""
    made = _scheduled(rig.store, 20, due_at=_now() - SECOND)
    with _DiesAfterwards(rig.broker_url, timeout=PATIENCE) as publisher, pytest.raises(_Crash):
        Relay(DueRows(), rig.store, publisher).publish()
    with Publisher(rig.broker_url, timeout=PATIENCE) as publisher:
        assert Relay(DueRows(), rig.store, publisher, clock=_now).publish() == 0
        assert (
            Relay(DueRows(), rig.store, publisher, clock=lambda: _now() + RELAY_LEASE).publish()
            == 20
        )
    assert rig.waiting(QUEUE) == 40
    with rig.worker():
        until(lambda: rig.store.count(Filter()) == {Status.SENT: 20})
        # A copy that was deferred while the other was being sent is counted as waiting nowhere.
        until(lambda: rig.log().count('"notify.duplicate"') == 20)
    assert len(rig.sandbox.messages()) == len(made)
    assert rig.waiting(QUEUE, DEAD) == 0


def test_a_full_lane_delays_no_other(rig: Rig, channel: amqp.Channel) -> None:
    """However many of its rows are due, and for longer; it is tried again a little later."""
    full = queue_name(Channel.EMAIL, "bulk")
    channel.queue_delete(full)
    limit = {"x-max-length": 1, "x-overflow": "reject-publish"}
    channel.queue_declare(full, durable=True, auto_delete=False, arguments=limit)
    channel.queue_bind(full, WORK, "email.bulk.#")
    _scheduled(rig.store, 2 * BATCH_SIZE, due_at=_now() - 9 * SECOND, lane="bulk")
    made = _scheduled(rig.store, 5, due_at=_now() - SECOND)
    now = _now()
    clock = iter([now, now, now, now, now + RETRY, now + RETRY])
    with Publisher(rig.broker_url, timeout=PATIENCE) as publisher:
        relay = Relay(DueRows(), rig.store, publisher, clock=lambda: next(clock))
        with pytest.raises(PublishError, match="refused"):
            relay.publish()
        assert relay.publish() == len(made)
        with pytest.raises(PublishError, match="refused"):
            relay.publish()
    assert _ids(channel) == Counter(str(each.id) for each in made)


# It waits for the broker, whatever the database.
@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_due_rows_wait_while_the_broker_is_away(rig: Rig, rabbitmq: RabbitMQNode) -> None:
    """Without a hot loop; soon after its return all are published."""
    made = _scheduled(rig.store, 50, due_at=_now() - SECOND)
    publisher = Publisher(rig.broker_url, timeout=1)
    relay = _thread(rig.store, publisher)
    with broker_away(rabbitmq, rig.broker_url):
        with capture_logs() as logs:
            relay.start()
            until(lambda: bool(logs))
            before = time.process_time()
            time.sleep(3)
        used = time.process_time() - before
        meanwhile = rig.store.count(Filter())
    assert meanwhile == {Status.SCHEDULED: 50}
    assert [line["event"] for line in logs] == ["notify.background_task_failing"]
    assert used < 1
    until(lambda: rig.store.count(Filter()) == {Status.QUEUED: 50})
    relay.stop(timeout=5)
    publisher.close()
    with connect(rig.broker_url) as connection:
        ids = _ids(connection.channel())
    # An unconfirmed one may have arrived and been published again.
    assert ids.keys() == {str(each.id) for each in made}


def test_a_row_that_is_cancelled_after_publishing_is_not_sent(rig: Rig) -> None:
    """Its message is in the queue; the worker that receives it finds it cancelled."""
    made = _scheduled(rig.store, 3, due_at=_now() - SECOND)
    with Publisher(rig.broker_url, timeout=PATIENCE) as publisher:
        assert Relay(DueRows(), rig.store, publisher).publish() == 3
    with rig.store.writing() as connection:
        assert cancel_waiting(connection, made[0].id, now=_now()).ids == [made[0].id]
    with rig.worker():
        until(lambda: rig.waiting(QUEUE) == 0)
        until(lambda: rig.status(made[2].id) is Status.SENT)
    assert rig.store.count(Filter()) == {Status.CANCELLED: 1, Status.SENT: 2}
    assert len(rig.sandbox.messages()) == 2
    assert rig.waiting(QUEUE, DEAD) == 0
