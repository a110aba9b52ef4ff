"""A real worker process with a real broker, a real record and the provider sandbox."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from notify import contract
from notify.contract import Incoming
from notify.message import Channel, Outcome, Status
from notify.stack.rabbitmq import RabbitMQNode
from notify.store import Entry, Filter, Store, Story
from notify.topology import DEAD, queue_name
from tests.support.holding import held
from tests.support.malformed import FOREIGN_BUT_FINE, ID, MALFORMED
from tests.support.patience import PATIENCE, connect
from tests.support.rig import Rig, surroundings, until
from tests.support.services import PostgreSQL, broker_away

MALFORMED_EMAILS = [row for row in MALFORMED if row.routing_key.startswith("email.")]
QUEUES = [queue_name(Channel.EMAIL, lane) for lane in ("critical", "normal", "bulk")]


@pytest.fixture
def sqlite_rig(tmp_path: Path, broker_url: str) -> Iterator[Rig]:
    """A worker's surroundings on SQLite, for tests that do not depend on the database."""
    url = f"sqlite:///{tmp_path}/notify.db"
    with surroundings(tmp_path, broker_url=broker_url, store_url=url) as rig:
        yield rig


def test_published_requests_are_sent_recorded_and_acknowledged(rig: Rig) -> None:
    """The main job, with single notifications and a batch, and two workers."""
    with rig.worker("email-1"), rig.worker("email-2"):
        single = rig.requests(50)
        batch = rig.request(to=[f"r{number}@example.com" for number in range(100)])
        until(lambda: rig.store.count(Filter(status=Status.SENT)) == {Status.SENT: 150})
    assert {rig.status(id_) for id_ in single} == {Status.SENT}
    assert rig.store.count(Filter(batch_id=batch)) == {Status.SENT: 100}
    assert len(rig.sandbox.messages()) == 150
    assert rig.waiting(*QUEUES, DEAD) == 0


def test_a_duplicate_publish_is_sent_once_and_a_conflict_is_dead(rig: Rig) -> None:
    """Two workers, twenty copies of one request, and one that misuses its key."""
    body = _body(idempotency_key="order-7", id="6c8f3f0e-5b0a-4a53-9d0a-2f2f7c1c7e11")
    other = _body(idempotency_key="order-7", text="Another.")
    with rig.worker("email-1"), rig.worker("email-2"):
        for _ in range(20):
            rig.publish(body)
        until(lambda: rig.status(UUID("6c8f3f0e-5b0a-4a53-9d0a-2f2f7c1c7e11")) is Status.SENT)
        rig.publish(other)
        until(lambda: rig.waiting(DEAD) == 1)
        until(lambda: (rig.log("email-1") + rig.log("email-2")).count('"notify.duplicate"') == 19)
    assert len(rig.sandbox.messages()) == 1
    assert rig.waiting(*QUEUES) == 0
    assert rig.dead() == [other]


FAULTS = {
    "down@sandbox.test": (Outcome.NOT_SENT, False),
    "invalid@sandbox.test": (Outcome.NOT_SENT, False),
    "lost@sandbox.test": (Outcome.UNKNOWN, True),
    "hang@sandbox.test": (Outcome.UNKNOWN, True),
    "reset@sandbox.test": (Outcome.UNKNOWN, True),
    "broken@sandbox.test": (Outcome.UNKNOWN, True),
    "throttled@sandbox.test": (Outcome.NOT_SENT, False),
}
"""
By recipient: the outcome of the first call, and whether a second may be a duplicate. The one that
throttles is last, since every claim after its answer is deferred.
"""


def _first_call_ended(story: Story) -> bool:
    return bool(story.attempts and story.attempts[0].outcome)


def test_each_fault_of_a_provider_is_recorded_by_its_kind(sqlite_rig: Rig) -> None:
    """Certainly not sent, or unknown and then sent again as a possible duplicate."""
    rig = sqlite_rig
    # The call that hangs ends after it, while the others are tried again.
    rig.config.write_text(rig.config.read_text().replace("timeout = 25", "timeout = 5"))

    def stories() -> dict[str, Story]:
        return {to: story for to, id_ in ids.items() if (story := rig.store.get(id_))}

    with rig.worker():
        ids = {to: rig.request(to=to) for to in FAULTS}
        until(lambda: sum(_first_call_ended(one) for one in stories().values()) == len(ids))
    seen = stories()
    first = {
        to: (one.attempts[0].outcome, one.summary.possible_duplicate) for to, one in seen.items()
    }
    assert first == FAULTS
    rejected = [to for to, one in seen.items() if one.status is Status.REJECTED]
    assert rejected == ["invalid@sandbox.test"]
    # A retry that came due as the worker stopped waits for the next worker.
    queued = [one.summary for one in seen.values() if one.status is Status.QUEUED]
    assert rig.waiting(*QUEUES) == sum(one.due_at is None for one in queued)
    assert rig.waiting(DEAD) == 0


def test_no_malformed_message_stops_a_worker_or_is_lost(sqlite_rig: Rig) -> None:
    """Each is in the dead queue, with its reason in the log, and the next one is delivered."""
    rig = sqlite_rig
    assert len(MALFORMED_EMAILS) >= 40
    with rig.worker() as process:
        for row in MALFORMED_EMAILS:
            rig.publish(row.body, row.routing_key, row.properties)
        sent = rig.request()
        until(lambda: rig.status(sent) is Status.SENT)
        until(lambda: rig.waiting(DEAD) == len(MALFORMED_EMAILS))
        assert process.poll() is None
    dead = Counter(rig.dead())
    assert [row.name for row in MALFORMED_EMAILS if not dead[row.body]] == []
    log = rig.log()
    reasons = [json.loads(line) for line in log.splitlines() if '"notify.dead"' in line]
    for row in MALFORMED_EMAILS:
        assert any(row.why in entry["reason"] for entry in reasons), row.name
    assert len(reasons) == len(MALFORMED_EMAILS)
    assert "ann@example.com" not in log


def test_foreign_properties_do_not_matter(sqlite_rig: Rig) -> None:
    """A valid request is delivered, whatever task headers its sender has set."""
    rig = sqlite_rig
    with rig.worker():
        for row in FOREIGN_BUT_FINE:
            body = row.body.replace(ID.encode(), str(uuid4()).encode())
            rig.publish(body, row.routing_key, row.properties)
        sent = {Status.SENT: len(FOREIGN_BUT_FINE)}
        until(lambda: rig.store.count(Filter()) == sent)
    assert rig.dead() == []


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_a_stop_drains_in_flight_messages(rig: Rig) -> None:
    """SIGTERM during slow calls: none is lost, none is made twice, exit code 0."""
    rig.sandbox.switch.set(latency=0.3)
    rig.requests(60)
    with rig.worker("first"):
        until(lambda: bool(rig.store.count(Filter(status=Status.SENT))))
    assert not rig.store.count(Filter(status=Status.SENDING))
    rig.sandbox.switch.set(latency=0.0)
    with rig.worker("second"):
        until(lambda: rig.store.count(Filter()) == {Status.SENT: 60})
    assert len(rig.sandbox.messages()) == 60


def test_a_killed_worker_loses_nothing_and_sends_nothing_twice(rig: Rig) -> None:
    """kill -9 during calls: those become unknown, all others are sent once."""
    ids = rig.requests(40)
    with held(rig.sandbox), rig.worker("first") as process:
        # One for each sender: nothing is claimed beyond them, so no claim is under way.
        until(lambda: len(rig.sandbox.messages()) == 8)
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE)
    assert rig.store.count(Filter()) == {Status.SENDING: 8}
    with rig.worker("second"):
        until(lambda: rig.waiting(*QUEUES) == 0)
        until(lambda: sum(rig.store.count(Filter()).values()) == len(ids))
        until(lambda: rig.store.count(Filter(status=Status.SENT)) == {Status.SENT: 32})
    assert rig.store.count(Filter()) == {Status.SENT: 32, Status.SENDING: 8}
    assert max(Counter(message.notify_id for message in rig.sandbox.messages()).values()) == 1


def test_messages_of_dead_workers_do_not_stop_a_queue(sqlite_rig: Rig) -> None:
    """However many more than its prefetch a worker finds claimed, those behind them are sent."""
    rig = sqlite_rig
    bodies = [_body(text=f"No. {number}") for number in range(100)]
    _claim(rig.store, bodies)
    for body in bodies:
        rig.publish(body)
    with rig.worker("survivor"):
        sent = rig.requests(20)
        until(lambda: rig.store.count(Filter(status=Status.SENT)) == {Status.SENT: 20})
        until(lambda: rig.waiting(*QUEUES) == 0)
    # Theirs are neither called nor acknowledged: the queue has them again.
    until(lambda: rig.waiting(*QUEUES) == len(bodies))
    assert rig.store.count(Filter()) == {Status.SENT: 20, Status.SENDING: len(bodies)}
    assert {message.notify_id for message in rig.sandbox.messages()} == {str(id_) for id_ in sent}


def _claim(store: Store, bodies: Sequence[bytes]) -> None:
    """Claim requests as a worker does that is killed before it calls, for an hour."""
    entries = []
    for body in bodies:
        incoming = Incoming(body, "email.normal.shop", content_type="application/json")
        (notification,) = contract.decode(incoming, contract.Limits(max_recipients=1))
        entries.append(Entry(notification, Status.SENDING, uuid4(), "sendgrid"))
    store.claim(entries, now=datetime.now(UTC), lease=timedelta(hours=1))


def test_a_worker_outlives_a_broker_that_goes_away(
    tmp_path: Path, broker_url: str, rabbitmq: RabbitMQNode
) -> None:
    """It reconnects by itself; unacknowledged messages are neither lost nor sent twice."""
    url = f"sqlite:///{tmp_path}/notify.db"
    with surroundings(tmp_path, broker_url=broker_url, store_url=url) as rig, rig.worker():
        rig.sandbox.switch.set(latency=0.2)
        ids = rig.requests(40)
        until(lambda: bool(rig.store.count(Filter(status=Status.SENT))))
        with broker_away(rabbitmq, broker_url):
            until(lambda: "notify.broker_away" in rig.log())
        until(lambda: rig.store.count(Filter()) == {Status.SENT: len(ids)})
        until(lambda: rig.waiting(*QUEUES) == 0)
        later = rig.request()
        until(lambda: rig.status(later) is Status.SENT)
    assert len(rig.sandbox.messages()) == len(ids) + 1
    assert rig.waiting(DEAD) == 0


def test_a_worker_waits_while_the_record_is_away(
    tmp_path: Path, broker_url: str, postgresql: PostgreSQL
) -> None:
    """No call without its record, no hot loop, and it continues by itself."""
    with (
        postgresql.record() as store_url,
        surroundings(tmp_path, broker_url=broker_url, store_url=store_url) as rig,
        rig.worker(),
    ):
        postgresql.pause()
        try:
            ids = rig.requests(10)
            time.sleep(2.5)
            assert rig.sandbox.messages() == []
            assert rig.log().count("notify.store_away") < 100
        finally:
            postgresql.resume()
            rig.store.close()
        until(lambda: rig.store.count(Filter()) == {Status.SENT: len(ids)})


def test_each_line_that_a_worker_writes_is_one_of_its_logs(sqlite_rig: Rig) -> None:
    """From its start to its stop: Celery writes no line of its own."""
    rig = sqlite_rig
    with rig.worker():
        id_ = rig.request()
        until(lambda: rig.status(id_) is Status.SENT)
    events = [json.loads(line)["event"] for line in rig.log().splitlines()]
    assert (events[0], events[-1]) == ("notify.worker_starting", "notify.worker_stopped")


def test_a_worker_reports_a_missing_queue(sqlite_rig: Rig) -> None:
    """Without its queues it does not start, and names the command that creates them."""
    rig = sqlite_rig
    with connect(rig.broker_url) as connection:
        connection.channel().queue_delete(QUEUES[0])
    process = rig.start()
    assert process.wait(30) == 1
    assert f"queue {QUEUES[0]}" in rig.log()
    assert "notify topology apply" in rig.log()


def _body(**fields: object) -> bytes:
    request = {"to": "ada@example.com", "subject": "Hello", "text": "Hi.", "id": str(uuid4())}
    return json.dumps({**request, **fields}).encode()
