"""The machine's own RabbitMQ and PostgreSQL: Debian's packages and units, on separate ports."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from notify.stack.rabbitmq import free_ports
from tests.boot.machine import Machine
from tests.faults.stage import until

UP_WITHIN = 90.0
PASSWORD = "word"
# The machine shares the network with its host, which may have a RabbitMQ too.
_RABBITMQ = """\
NODENAME=notify@localhost
NODE_IP_ADDRESS=127.0.0.1
NODE_PORT={port}
DIST_PORT={dist_port}
CTL_DIST_PORT_MAX=36671
SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {{127,0,0,1}}"
export ERL_EPMD_ADDRESS=127.0.0.1
export ERL_EPMD_PORT={epmd_port}
"""
_EPMD = ("epmd.service", "epmd.socket", "epmd@.service", "epmd@.socket")
"""They use a shared port; the server starts another `epmd` if there is none."""


@dataclass(frozen=True, slots=True)
class Broker:
    """The machine's RabbitMQ, once it has booted."""

    machine: Machine
    port: int

    @property
    def url(self) -> str:
        """The address of the default virtual host, as user guest."""
        return f"pyamqp://guest:guest@127.0.0.1:{self.port}//"

    def ctl(self, *arguments: str) -> str:
        """Run `rabbitmqctl` and return what it printed."""
        return self.machine.said("rabbitmqctl", "--quiet", *arguments)


@dataclass(frozen=True, slots=True)
class Ports:
    """The services' ports, different from the host's."""

    broker: int
    database: int

    @classmethod
    def configured(cls, root: Path) -> Ports:
        """Write both services' configuration into a root that has not been booted."""
        broker, database, dist_port, epmd_port = free_ports(4)
        rabbitmq = _RABBITMQ.format(port=broker, dist_port=dist_port, epmd_port=epmd_port)
        (root / "etc/rabbitmq/rabbitmq-env.conf").write_text(rabbitmq)
        for unit in _EPMD:
            (root / "etc/systemd/system" / unit).symlink_to("/dev/null")
        (cluster,) = root.glob("etc/postgresql/*/main/conf.d")
        listens = f"listen_addresses = '127.0.0.1'\nport = {database}\n"
        (cluster / "notify.conf").write_text(listens)
        return cls(broker, database)


def broker(machine: Machine, ports: Ports) -> Broker:
    """Wait until RabbitMQ has started, as it does at boot."""
    machine.said("systemctl", "start", "rabbitmq-server", timeout=UP_WITHIN)
    return Broker(machine, ports.broker)


def database(machine: Machine, ports: Ports) -> str:
    """Create a database as its administrator does; return its address."""
    answers = ("runuser", "-u", "postgres", "--", "pg_isready", "-p", str(ports.database))
    until(lambda: machine.run(*answers).returncode == 0, timeout=UP_WITHIN)
    role = f"CREATE ROLE notify LOGIN PASSWORD '{PASSWORD}'"
    for statement in (role, "CREATE DATABASE notify OWNER notify"):
        asked = ("psql", "-p", str(ports.database), "-c", statement)
        machine.said("runuser", "-u", "postgres", "--", *asked)
    return f"postgresql+psycopg://notify:{PASSWORD}@127.0.0.1:{ports.database}/notify"
