"""The upgrade of RabbitMQ from Debian 12 to 13, as docs/operations.md describes it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from notify.message import Channel
from notify.publisher import connect
from notify.settings import LaneSettings
from notify.topology import Producer, Topology, differences, export, queue_name
from tests.boot.machine import Machine, booted
from tests.boot.services import PASSWORD, Broker, Ports, broker
from tests.debian.image import unpacked
from tests.faults.load import LANE, SOURCE
from tests.support.least import Login

VHOST = "notify"
QUEUE = queue_name(Channel.EMAIL, LANE)
KEY = f"{Channel.EMAIL}.{LANE}.{SOURCE}"
WAITING = 20
"""Messages left in a queue by mistake."""
_DATA = "var/lib/rabbitmq/mnesia"
_DEFINITIONS = "/var/lib/rabbitmq/definitions.json"
TOPOLOGY = Topology.of(list(Channel), {LANE: LaneSettings()})


@dataclass(frozen=True, slots=True)
class Node:
    """A machine with RabbitMQ, running or not."""

    root: Path
    ports: Ports

    @classmethod
    def made(cls, folder: Path, release: str) -> Node:
        """Unpack a machine of a release, without booting it."""
        folder.mkdir()
        root = unpacked(folder, release)
        return cls(root, Ports.configured(root))

    @contextmanager
    def machine(self) -> Iterator[Machine]:
        """Boot it, whether its RabbitMQ starts or not."""
        with booted(self.root, log=self.root.parent / "console.log") as machine:
            yield machine

    @contextmanager
    def broker(self) -> Iterator[Broker]:
        """Boot it, and wait for its RabbitMQ."""
        with self.machine() as machine:
            yield broker(machine, self.ports)

    def login(self, user: str) -> Login:
        """The address for a user of the virtual host."""
        return Login(f"pyamqp://{user}:{PASSWORD}@127.0.0.1:{self.ports.broker}/{VHOST}")


def faults(folder: Path) -> Iterator[str]:
    """Play the upgrade on two machines, and yield the differences from the page."""
    folder.mkdir()
    old, new = Node.made(folder / "12", "12"), Node.made(folder / "13", "13")
    with old.broker() as rabbitmq:
        _set_up(rabbitmq)
        for _ in range(WAITING):
            old.login(SOURCE).publish(KEY, b"{}")
    if not _refuses(new, old.root / _DATA):
        yield "RabbitMQ starts on the data of Debian 12: docs/operations.md says that it does not"
    with old.broker() as rabbitmq:
        if (drained := _drained(old)) != WAITING:
            yield f"after the attempt {drained} of {WAITING} messages are left in Debian 12's"
        written = _exported(rabbitmq)
    shutil.move(new.root / _DATA, new.root / f"{_DATA}.debian12")
    with new.broker() as rabbitmq:
        rabbitmq.machine.put(_DEFINITIONS, written)
        rabbitmq.ctl("import_definitions", _DEFINITIONS)
        for found in differences(TOPOLOGY, json.loads(_exported(rabbitmq)), vhost=VHOST):
            yield f"after the import: {found}"
        new.login(SOURCE).publish(KEY, b"{}")
        if _drained(new) != 1:
            yield "the upgraded RabbitMQ does not deliver"


def _set_up(rabbitmq: Broker) -> None:
    """Import what `notify topology export --users` writes, and set the passwords."""
    producer = Producer(SOURCE, tuple(Channel))
    made = export(TOPOLOGY, vhost=VHOST, producers=[producer], subscribers=[], users=True)
    rabbitmq.machine.put(_DEFINITIONS, json.dumps(made))
    rabbitmq.ctl("import_definitions", _DEFINITIONS)
    for user in (SOURCE, "notify-worker"):
        rabbitmq.ctl("change_password", user, PASSWORD)


def _refuses(node: Node, data: Path) -> bool:
    """Whether it refuses to start on data of the other release, with the known reason."""
    kept = node.root / _DATA
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(data, kept)
    with node.machine() as machine:
        machine.said("chown", "-R", "rabbitmq:rabbitmq", f"/{_DATA}")
        machine.run("systemctl", "restart", "rabbitmq-server")
        started = machine.run("systemctl", "is-active", "rabbitmq-server").stdout.strip()
        said = machine.said("journalctl", "--output=cat", "--unit=rabbitmq-server")
        logs = "".join(each.read_text() for each in node.root.glob("var/log/rabbitmq/*.log"))
        machine.run("systemctl", "stop", "rabbitmq-server")
    return started != "active" and "required feature flag not enabled" in said + logs


def _drained(node: Node) -> int:
    """Consume the waiting messages, as workers do, and count them."""
    count = 0
    with connect(node.login("notify-worker").url) as connection:
        channel = connection.channel()
        while channel.basic_get(QUEUE, no_ack=True) is not None:
            count += 1
    return count


def _exported(rabbitmq: Broker) -> str:
    """Write the definitions, with users and the hashes of their passwords."""
    rabbitmq.machine.said("rm", "-f", _DEFINITIONS)
    rabbitmq.ctl("export_definitions", _DEFINITIONS)
    return rabbitmq.machine.said("cat", _DEFINITIONS)
