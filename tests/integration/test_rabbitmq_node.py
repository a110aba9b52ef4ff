"""The private RabbitMQ node: ready, restartable, and gone without a trace."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import amqp
import psutil
import pytest

from notify.errors import ConfigError
from notify.stack.rabbitmq import RabbitMQNode
from tests.support.patience import START, PatientNode, connect
from tests.support.rig import until

PARENT = """
import sys, time
from pathlib import Path
from notify.stack.rabbitmq import RabbitMQNode
RabbitMQNode.start(Path(sys.argv[1]))
time.sleep(60)
"""


@pytest.fixture
def node(rabbitmq: RabbitMQNode, tmp_path: Path) -> Iterator[RabbitMQNode]:
    """A node beside the session's own, which proves that RabbitMQ is installed."""
    del rabbitmq
    node = PatientNode.start(tmp_path, timeout=START)
    yield node
    node.stop()


def alive(folder: Path) -> list[str]:
    """Name the living processes that were started for a node in this folder."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            here = process.environ().get("HOME") == str(folder.resolve())
            if here and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.name())
    return found


def test_what_was_confirmed_survives_a_power_cut(node: RabbitMQNode, tmp_path: Path) -> None:
    """Killed and restarted at the same address, it has the message; stopped, nothing is left."""
    url = node.url
    with connect(url) as connection, connection.channel() as channel:
        arguments = {"x-queue-type": "quorum"}
        channel.queue_declare("kept", durable=True, auto_delete=False, arguments=arguments)
        channel.confirm_select()
        channel.basic_publish_confirm(amqp.Message(b"1", delivery_mode=2), routing_key="kept")
        node.kill()
        connection.collect()
    node.restart(timeout=START)
    with connect(url) as connection, connection.channel() as channel:
        assert channel.basic_get("kept", no_ack=True).body == b"1"
    assert "beam.smp" in alive(tmp_path)
    node.stop()
    until(lambda: alive(tmp_path) == [])


def test_nothing_outlives_a_parent_that_is_killed_as_it_starts(
    rabbitmq: RabbitMQNode, tmp_path: Path
) -> None:
    """The kernel sees to it; test_demo.py kills the parent of a node that runs."""
    del rabbitmq
    with subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)]) as parent:
        until(lambda: {"beam.smp", "epmd"} <= set(alive(tmp_path)))
        parent.send_signal(signal.SIGTERM)
    until(lambda: alive(tmp_path) == [])


def test_a_command_that_fails_tells_why(rabbitmq: RabbitMQNode) -> None:
    """In rabbitmqctl's own words."""
    with pytest.raises(ConfigError, match=r"rabbitmqctl delete_vhost failed.*nowhere"):
        rabbitmq.ctl("delete_vhost", "nowhere")


def test_a_command_that_takes_too_long_is_an_error_of_the_node(rabbitmq: RabbitMQNode) -> None:
    """On a machine that is overloaded it is a reason to report, and no traceback."""
    with pytest.raises(ConfigError, match=r"rabbitmqctl eval took longer than 0.01 s: the machine"):
        rabbitmq.ctl("eval", "timer:sleep(5000).", timeout=0.01)
