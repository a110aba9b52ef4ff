"""Real workers under flow control: the backlog stays in RabbitMQ, whatever keeps it from going."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from notify.message import Channel, Status
from notify.sandbox import Behaviour
from notify.stack.rabbitmq import RabbitMQNode
from notify.store import Filter
from notify.topology import DEAD, queue_name
from tests.support.erlang import evaluate
from tests.support.rig import Rig, surroundings, until

NORMAL, BULK = (queue_name(Channel.EMAIL, lane) for lane in ("normal", "bulk"))
POOL = 'lanes = ["critical", "normal", "bulk"]\n'
_UNACKNOWLEDGED = """
begin
    Name = rabbit_misc:r(<<"{vhost}">>, queue, <<"{queue}">>),
    {{ok, Queue}} = rabbit_amqqueue:lookup(Name),
    [{{messages_unacknowledged, Count}}] = rabbit_amqqueue:info(Queue, [messages_unacknowledged]),
    Count
end.
"""
# It doubles to ten seconds at most, so that a probe soon finds that the provider is back.
BREAKER = """
[providers.sendgrid.breaker]
minimum_calls = 5
first_open = 2
longest_open = 10
"""
TWO_PROVIDERS = """
[providers.second]
use = "providers.sendgrid:SendGrid"
options = {{ sender = "a@example.com", base_url = "{sandbox}/second", timeout = 25 }}
secrets = {{ api_key = "KEY" }}
[providers.second.breaker]
first_open = 1
"""


@pytest.fixture
def rig(tmp_path: Path, broker_url: str) -> Iterator[Rig]:
    """A worker's surroundings on SQLite: what is shared is tested on both databases elsewhere."""
    url = f"sqlite:///{tmp_path}/notify.db"
    with surroundings(tmp_path, broker_url=broker_url, store_url=url) as rig:
        yield rig


def _configure(rig: Rig, provider: str = "", *, more: str = "") -> None:
    """Add to the provider's table, which is the last, and further tables."""
    with rig.config.open("a") as file:
        file.write(provider + "\n" + more)


def _unacknowledged(rig: Rig, rabbitmq: RabbitMQNode, queue: str) -> int:
    """Count what workers have of a queue and have not acknowledged."""
    vhost = rig.broker_url.rpartition("/")[2]
    return int(evaluate(rabbitmq, _UNACKNOWLEDGED.format(vhost=vhost, queue=queue)))


def _paused(rig: Rig, queue: str) -> bool:
    """Return whether the worker has logged that it no longer consumes a queue."""
    lines = [json.loads(line) for line in rig.log().splitlines() if "notify.consuming" in line]
    return any(line["queue"] == queue and line["prefetch"] == 0 for line in lines)


def _request() -> bytes:
    id_ = str(uuid4())
    return json.dumps({"id": id_, "to": "b@example.com", "subject": "Hi", "text": "Hi."}).encode()


def _notify(rig: Rig, *arguments: str) -> str:
    """Run a command as an operator does."""
    done = rig.notify(*arguments)
    assert done.code == 0, done.err
    return done.out


def test_a_slow_limit_leaves_the_backlog_in_the_queue(rig: Rig, rabbitmq: RabbitMQNode) -> None:
    """Of a hundred messages at two a second, two workers have a few, on the wire and on record.

    Each wants four, what two seconds bring, and may have twice that after a change of mind. On a
    busy machine one that waited for long is deferred, so its row may be `queued`.
    """
    _configure(rig, "rate = 2\nburst = 2")
    rig.requests(100)
    with rig.worker("email-1"), rig.worker("email-2"):
        until(lambda: len(rig.sandbox.messages()) >= 5)
        assert rig.waiting(NORMAL) >= 50
        assert _unacknowledged(rig, rabbitmq, NORMAL) <= 16
        counts = rig.store.count(Filter())
        assert set(counts) <= {Status.SENT, Status.SENDING, Status.QUEUED}
        assert sum(counts.values()) - counts[Status.SENT] <= 16
    assert rig.waiting(DEAD) == 0


def test_an_open_circuit_stops_consumption_and_all_is_sent_when_the_provider_is_back(
    rig: Rig,
) -> None:
    """While it is open the messages wait in RabbitMQ, and no attempt is spent on them."""
    _configure(rig, more=BREAKER)
    rig.sandbox.switch.set(behaviour=Behaviour.DOWN)
    rig.requests(10)
    with rig.worker("email-1"), rig.worker("email-2"):
        until(lambda: all("circuit_opened" in rig.log(name) for name in ("email-1", "email-2")))
        until(lambda: rig.store.count(Filter(status=Status.QUEUED)) == {Status.QUEUED: 10})
        before = len(rig.sandbox.ledger.entries())
        while_open = rig.requests(30)
        # Each probe takes one, and each worker may have one for the next. On a busy machine there
        # are several probes before this looks, and their messages are not put back.
        until(lambda: rig.waiting(NORMAL) + len(rig.sandbox.ledger.entries()) - before >= 28)
        rig.sandbox.switch.set(behaviour=None)
        until(lambda: rig.store.count(Filter(status=Status.SENT)) == {Status.SENT: 40})
        stories = [rig.store.get(id_) for id_ in while_open]
        calls = sum(len(story.attempts) for story in stories if story is not None)
        # One probe an open interval fails until the provider is back; without a circuit each of
        # the thirty would fail again and again.
        assert calls <= 30 + 12
    assert rig.waiting(NORMAL, DEAD) == 0


def test_a_dead_provider_moves_all_to_the_second(rig: Rig) -> None:
    """No message waits for the first one's recovery, and none fails."""
    text = rig.config.read_text().replace('["sendgrid"]', '["sendgrid", "second"]')
    rig.config.write_text(text)
    _configure(rig, more=TWO_PROVIDERS.format(sandbox=rig.sandbox.url))
    rig.sandbox.switch.set(["second"])
    rig.sandbox.switch.set(["sendgrid"], behaviour=Behaviour.DOWN)
    with rig.worker():
        rig.requests(60)
        until(lambda: rig.store.count(Filter(status=Status.SENT)) == {Status.SENT: 60})
        until(lambda: "notify.circuit_opened" in rig.log())
    entries = rig.sandbox.ledger.entries(account="second")
    assert len(entries) == 60


def test_a_hold_stops_a_lane_at_once_and_its_release_lets_it_go(rig: Rig) -> None:
    """Another lane continues; held messages wait in their queue."""
    with rig.worker():
        rig.request()
        until(lambda: len(rig.sandbox.messages()) == 1)
        _notify(rig, "hold", "--channel", "email", "--lane", "normal", "--reason", "a test")
        until(lambda: _paused(rig, NORMAL))
        rig.requests(20)
        rig.publish(_request(), "email.bulk.shop")
        until(lambda: len(rig.sandbox.messages()) == 2)
        assert rig.waiting(NORMAL) >= 15
        _notify(rig, "release", "--all", "--reason", "the test is over")
        until(lambda: len(rig.sandbox.messages()) == 22)
    assert rig.waiting(NORMAL, BULK, DEAD) == 0


def test_a_lane_of_ones_own_takes_configuration_only(rig: Rig) -> None:
    """A queue and a pool for a heavy source, while the ordinary pool does not touch it."""
    own = '[lanes.newsletter]\nshare = 0.5\n[pools.newsletter]\nchannel = "email"\n'
    text = rig.config.read_text().replace("concurrency = 8", f"{POOL}concurrency = 8", 1)
    rig.config.write_text(own + 'lanes = ["newsletter"]\n' + text)
    _notify(rig, "topology", "apply")
    rig.publish(_request(), "email.newsletter.crm")
    with rig.worker():
        rig.request()
        until(lambda: len(rig.sandbox.messages()) == 1)
    assert rig.waiting(queue_name(Channel.EMAIL, "newsletter")) == 1
    with rig.worker("newsletter", pool="newsletter"):
        until(lambda: len(rig.sandbox.messages()) == 2)
    assert rig.waiting(DEAD) == 0
