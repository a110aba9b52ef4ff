"""A cluster of three RabbitMQ nodes behind HAProxy, as docs/operations.md sets it up."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import amqp

from notify.errors import ConfigError
from notify.message import Channel
from notify.publisher import connect
from notify.stack.process import DIE_WITH_PARENT
from notify.stack.rabbitmq import free_ports
from notify.topology import queue_name
from tests.faults.load import LANE
from tests.faults.network import Network, network
from tests.faults.unplayed import Unplayable
from tests.support.patience import PatientNode

SIZE = 3
PATIENCE = 180.0
"""Seconds that a node may take to start, or a command to answer."""
OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"
_CONF = """
log.console = false
loopback_users = none
cluster_partition_handling = pause_minority
net_ticktime = 15
cluster_formation.peer_discovery_backend = classic_config
cluster_formation.randomized_startup_delay_range.min = 0
cluster_formation.randomized_startup_delay_range.max = 1
"""
_LEADER = """
{{ok, Queue}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, <<"{name}">>)),
{{_, Node}} = amqqueue:get_pid(Queue),
Node.
"""


class DrillNode(PatientNode):
    """A node whose commands may take longer: a drill shares the machine with its processes."""

    _patience = PATIENCE


class ClusterNode(DrillNode):
    """One node of a cluster, in a network namespace of its own."""

    def __init__(self, folder: Path, *, network: Network, number: int, cookie: str) -> None:
        super().__init__(folder)
        self.number = number
        self.host, self.port = network.address(number), 5672
        self._name = f"rabbit@{self.host}"
        self._prefix = network.inside(number)
        self.folder.mkdir(parents=True)
        peers = (
            f"cluster_formation.classic_config.nodes.{each} = rabbit@{network.address(each)}\n"
            for each in range(1, network.size + 1)
        )
        (self.folder / "rabbitmq.conf").write_text(_CONF + "".join(peers))
        (self.folder / "enabled_plugins").write_text("[].\n")
        secret = self.folder / ".erlang.cookie"
        secret.write_text(cookie)
        secret.chmod(0o400)

    @property
    def name(self) -> str:
        """Its name in the cluster."""
        return self._name

    def _environment(self) -> dict[str, str]:
        """Return the environment of its programs, which listen in its own namespace."""
        of_one_machine = ("ERL_EPMD_ADDRESS", "ERL_EPMD_PORT", "RABBITMQ_DIST_PORT")
        environment = super()._environment()
        return {key: value for key, value in environment.items() if key not in of_one_machine} | {
            "RABBITMQ_USE_LONGNAME": "true",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1",
        }


class Cluster:
    """
    Three nodes and the balancer in front of them.

    Attributes:
        url: The balancer's address.
    """

    def __init__(self, nodes: list[ClusterNode], network: Network, *, port: int) -> None:
        self.url = f"pyamqp://guest:guest@127.0.0.1:{port}//"
        self._nodes = nodes
        self._network = network
        self._lost: ClusterNode | None = None

    def ctl(self, *arguments: str) -> str:
        """Run `rabbitmqctl` on a node that is neither killed nor cut off."""
        return next(node for node in self._nodes if node is not self._lost).ctl(*arguments)

    def kill(self) -> None:
        """End the node that leads the queues as a power cut would."""
        self._lost = self._leader()
        self._lost.kill()

    def restart(self) -> None:
        """Start the node that was killed."""
        if self._lost is not None:
            self._lost.restart(timeout=PATIENCE)
        self._lost = None

    def cut(self) -> None:
        """Cut the node that leads the queues off from the others; clients still reach it."""
        self._lost = self._leader()
        self._network.cut(self._lost.number)

    def heal(self) -> None:
        """Reconnect the node that was cut off."""
        if self._lost is not None:
            self._network.heal(self._lost.number)
        self._lost = None

    def _leader(self) -> ClusterNode:
        told = self.ctl("eval", _LEADER.format(name=queue_name(Channel.EMAIL, LANE)))
        for node in self._nodes:
            if node.name == told.strip().strip("'"):
                return node
        raise ConfigError(f"no node of the cluster leads the queues, but {told.strip()}")


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """
    Start three nodes, each of which joins the first, and the balancer.

    Raises:
        Unplayable: This machine cannot run them.
        ConfigError: RabbitMQ is not installed, or a node did not start.
    """
    program = shutil.which("haproxy", path="/usr/sbin:/usr/bin")
    if program is None:
        raise Unplayable("a cluster needs a balancer: apt-get install haproxy")
    with ExitStack() as cleanup:
        laid = cleanup.enter_context(network(SIZE))
        cookie = secrets.token_hex(16)
        nodes = []
        for number in range(1, SIZE + 1):
            node = ClusterNode(
                folder / f"node-{number}", network=laid, number=number, cookie=cookie
            )
            cleanup.callback(node.stop)
            node.restart(timeout=PATIENCE)
            nodes.append(node)
        (port,) = free_ports(1)
        file = folder / "haproxy.cfg"
        file.write_text(balancing(port, {node.number: node.host for node in nodes}))
        cleanup.enter_context(_balancer(program, file))
        whole = Cluster(nodes, laid, port=port)
        _wait(whole)
        yield whole


def balancing(port: int, hosts: Mapping[int, str]) -> str:
    """Return the balancer's configuration in docs/operations.md, with these addresses."""
    found = re.search(r"```haproxy\n(.*?)```", OPERATIONS.read_text(), flags=re.DOTALL)
    assert found is not None, "docs/operations.md holds no HAProxy configuration"
    text = found.group(1)
    for number, host in hosts.items():
        text, changed = re.subn(rf"(server rabbit{number} )\S+", rf"\g<1>{host}:5672", text)
        assert changed == 1, f"it names no server rabbit{number}"
    text, changed = re.subn(r"bind \S+", f"bind 127.0.0.1:{port}", text)
    assert changed == 1, "it binds no address"
    return text


@contextmanager
def _balancer(program: str, file: Path) -> Iterator[None]:
    with file.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen(
            [*DIE_WITH_PARENT, program, "-db", "-f", str(file)], stdout=log, stderr=log
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def _wait(whole: Cluster) -> None:
    """Wait until the balancer finds a node, and all nodes run."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            connect(whole.url).close()
            status = json.loads(whole.ctl("cluster_status", "--formatter", "json"))
            if len(found := status["running_nodes"]) == SIZE:
                return
        except (OSError, amqp.AMQPError, ConfigError) as error:
            found = error
        if time.monotonic() > end:
            raise ConfigError(f"the cluster does not form: {found}")
        time.sleep(0.5)
