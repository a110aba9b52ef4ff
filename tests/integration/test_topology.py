"""The topology on a real broker: applied, compared, checked, exported and imported."""

from __future__ import annotations

import json
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import amqp
import pytest
from click.testing import CliRunner

from notify.cli import notify
from notify.errors import ConfigError
from notify.message import Channel
from notify.stack.rabbitmq import RabbitMQNode
from notify.topology import (
    DEAD,
    EXCHANGE,
    WORK,
    Depth,
    Exchange,
    Producer,
    Queue,
    QueueWatch,
    Topology,
    apply,
    check,
    depths,
    diff,
    differences,
    export,
)
from tests.support.erlang import evaluate
from tests.support.patience import connect
from tests.support.rig import until
from tests.support.services import Users, cut

# Stops or continues the process that is the queue's only member.
_LEADER = """
begin
    {{ok, Queue}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"{vhost}">>, queue, <<"{queue}">>)),
    ok = sys:{call}(element(1, amqqueue:get_pid(Queue)))
end.
"""


def with_argument(topology: Topology, name: str, value: object) -> Topology:
    """Return the topology with another argument on its last queue."""
    *others, last = topology.queues
    return replace(topology, queues=(*others, Queue(last.name, {**last.arguments, name: value})))


def test_apply_may_run_again(vhost_url: str, topology: Topology) -> None:
    """The second time changes nothing, and nothing differs afterwards."""
    with connect(vhost_url) as connection:
        apply(topology, connection)
        apply(topology, connection)
        assert diff(topology, connection) == []
        check(topology, connection)


def test_an_empty_broker_lacks_everything(vhost_url: str, topology: Topology) -> None:
    """Each object is named, and the command that makes them."""
    with connect(vhost_url) as connection:
        assert {one.how for one in diff(topology, connection)} == {"missing"}
        with pytest.raises(ConfigError, match=r"queue notify\.sms\.bulk.* notify topology apply"):
            check(topology, connection)


def test_diff_distinguishes_missing_from_different(broker_url: str, topology: Topology) -> None:
    """A missing queue, and one with another limit."""
    with connect(broker_url) as connection:
        with connection.channel() as channel:
            channel.queue_delete("notify.sms.bulk")
        found = diff(with_argument(topology, "x-delivery-limit", 3), connection)
    assert [str(one) for one in found] == [
        "queue notify.sms.bulk: missing",
        "queue notify.push.bulk: x-delivery-limit should be '3', is '20'",
    ]


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("x-queue-type", "classic"),
        ("x-dead-letter-exchange", "elsewhere"),
        ("x-dead-letter-strategy", "at-most-once"),
        ("x-overflow", "drop-head"),
        ("x-max-length", 5),
        ("x-delivery-limit", 3),
    ],
)
def test_diff_sees_every_argument(
    broker_url: str, topology: Topology, argument: str, value: object
) -> None:
    """RabbitMQ compares each of the arguments the promise rests on."""
    with connect(broker_url) as connection:
        (found,) = diff(with_argument(topology, argument, value), connection)
    assert str(found).startswith(f"queue notify.push.bulk: {argument} should be '{value}'")


def test_diff_sees_a_lost_alternate_exchange(broker_url: str, topology: Topology) -> None:
    """Without it, unroutable messages would vanish."""
    bare = replace(topology, exchanges=(Exchange(WORK, "topic"),))
    with connect(broker_url) as connection:
        (found,) = diff(bare, connection)
    assert "alternate-exchange" in found.how


def test_apply_reports_what_it_cannot_change(broker_url: str, topology: Topology) -> None:
    """The broker's own words name the argument."""
    with (
        connect(broker_url) as connection,
        pytest.raises(ConfigError, match=r"not applied.*x-max-length"),
    ):
        apply(with_argument(topology, "x-max-length", 5), connection)


def test_a_rejected_message_keeps_its_key_in_the_dead_queue(channel: amqp.Channel) -> None:
    """A replay needs the key."""
    channel.basic_publish(amqp.Message(b"{}"), EXCHANGE, "sms.bulk.shop")
    taken = _get(channel, "notify.sms.bulk")
    channel.basic_reject(taken.delivery_tag, requeue=False)
    dead = _get(channel, DEAD)
    assert dead.delivery_info["routing_key"] == "sms.bulk.shop"
    assert dead.headers["x-death"][0]["reason"] == "rejected"


def test_an_unroutable_message_is_in_the_dead_queue(channel: amqp.Channel) -> None:
    """No queue is bound for its key, and no message vanishes."""
    channel.basic_publish(amqp.Message(b"{}"), EXCHANGE, "fax.bulk.shop")
    assert _get(channel, DEAD).delivery_info["routing_key"] == "fax.bulk.shop"


def test_exported_definitions_make_the_same_topology(
    rabbitmq: RabbitMQNode, users: Users, topology: Topology, tmp_path: Path
) -> None:
    """Import them, and neither way of comparing finds a difference."""
    exported = export(topology, vhost="imported", producers=[_SHOP], users=True)
    file = tmp_path / "definitions.json"
    file.write_text(json.dumps(exported))
    users.imported()
    rabbitmq.ctl("import_definitions", str(file))
    rabbitmq.ctl("set_permissions", "-p", "imported", "guest", ".*", ".*", ".*")
    with connect(rabbitmq.vhost_url("imported")) as connection:
        assert diff(topology, connection) == []
    rabbitmq.ctl("export_definitions", str(tmp_path / "found.json"))
    found = json.loads((tmp_path / "found.json").read_text())
    assert differences(topology, found, vhost="imported") == []


def test_exported_rights_are_enough_and_no_more(
    users: Users, vhost_url: str, topology: Topology
) -> None:
    """A worker may check, consume and publish; a producer may publish for its own source."""
    vhost = vhost_url.rpartition("/")[2]
    users.bring(export(topology, vhost=vhost, producers=[_SHOP], users=True))
    worker, shop = users.let_in(vhost_url, "notify-worker", "shop")
    with connect(worker) as connection:
        check(topology, connection)
        with connection.channel() as channel:
            channel.confirm_select()
            channel.basic_publish(amqp.Message(b"{}"), WORK, "sms.bulk.shop")
            _get(channel, "notify.sms.bulk")
        with connection.channel() as channel, pytest.raises(amqp.AccessRefused):
            channel.queue_declare("mine")
    with connect(shop) as connection:
        for exchange, key in [
            (EXCHANGE, "push.bulk.shop"),
            (EXCHANGE, "sms.bulk.bank"),
            (WORK, "sms.bulk.shop"),
        ]:
            with pytest.raises(amqp.AccessRefused):
                _publish(connection, exchange, key)
        _publish(connection, EXCHANGE, "sms.bulk.shop")


def test_the_command_applies_and_compares(vhost_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """First everything is missing, then nothing is."""
    monkeypatch.setenv("NOTIFY_AMQP__URL", vhost_url)
    runner = CliRunner()
    before = runner.invoke(notify, ["topology", "diff"])
    assert before.exit_code == 1
    assert "queue notify.push.normal: missing" in before.stdout
    assert runner.invoke(notify, ["topology", "apply"]).exit_code == 0
    after = runner.invoke(notify, ["topology", "diff"])
    assert (after.exit_code, "matches the configuration" in after.stdout) == (0, True)


def test_the_command_compares_bindings_too(
    rabbitmq: RabbitMQNode,
    broker_url: str,
    channel: amqp.Channel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the definitions that operators export on the broker."""
    monkeypatch.setenv("NOTIFY_AMQP__URL", broker_url)
    channel.queue_unbind("notify.sms.bulk", WORK, "sms.bulk.#")
    exported = rabbitmq.ctl("export_definitions", "-", "--format", "json")
    arguments = ["topology", "diff", "--definitions", "-"]
    result = CliRunner().invoke(notify, arguments, input=exported)
    assert result.exit_code == 1
    assert result.stdout.splitlines()[0] == (
        "binding notify.work → queue notify.sms.bulk by 'sms.bulk.#': missing"
    )


_SHOP = Producer("shop", (Channel.EMAIL, Channel.SMS))


def _publish(connection: amqp.Connection, exchange: str, key: str) -> None:
    """Publish, and send another request: a refusal comes with its answer."""
    with connection.channel() as channel:
        channel.basic_publish(amqp.Message(b"{}"), exchange, key)
        channel.queue_declare(DEAD, passive=True)


def _get(channel: amqp.Channel, queue: str) -> amqp.Message:
    """Return the next message, which may still be on its way."""
    found: list[amqp.Message] = []

    def arrived() -> bool:
        message = channel.basic_get(queue, no_ack=False)
        found.extend([message] if message is not None else [])
        return bool(found)

    until(arrived, found=lambda: f"nothing in {queue}")
    return found[0]


def test_a_queue_that_does_not_reply_to_the_broker_is_asked_again(
    broker_url: str, rabbitmq: RabbitMQNode
) -> None:
    """RabbitMQ answers 0 messages for it, as if it were empty."""
    vhost = broker_url.rpartition("/")[2]
    reads = 0

    def monotonic() -> float:
        nonlocal reads
        reads += 1
        if reads == 3:
            evaluate(rabbitmq, _LEADER.format(call="resume", vhost=vhost, queue=DEAD))
        return time.monotonic()

    with connect(broker_url) as connection, connection.channel() as channel:
        channel.confirm_select()
        channel.basic_publish_confirm(amqp.Message("{}"), routing_key=DEAD)
        evaluate(rabbitmq, _LEADER.format(call="suspend", vhost=vhost, queue=DEAD))
        assert depths([DEAD], connection, monotonic=monotonic) == {DEAD: Depth(1, 0)}
    assert reads == 3


def test_a_watch_reads_depths_and_connects_again_after_a_lost_connection(
    broker_url: str, rabbitmq: RabbitMQNode
) -> None:
    """One connection for all reads; the read that meets its loss raises, the next one works."""
    opened: list[amqp.Connection] = []

    def connection() -> amqp.Connection:
        opened.append(connect(broker_url))
        return opened[-1]

    with closing(QueueWatch([DEAD, "notify.none"], connect=connection)) as queues:
        assert queues.depths() == queues.depths() == {DEAD: Depth(0, 0), "notify.none": None}
        assert len(opened) == 1
        cut(rabbitmq, broker_url)
        with pytest.raises((OSError, amqp.AMQPError)):
            queues.depths()
        assert queues.depths()[DEAD] == Depth(0, 0)
        assert len(opened) == 2
    assert not opened[-1].connected
