"""A private RabbitMQ node for demonstrations, tests and benchmarks; never for production."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import amqp

from notify.errors import ConfigError
from notify.private import private
from notify.stack.applications import link_needed
from notify.stack.process import DIE_WITH_PARENT, PRIVATE

INSTALL = "apt-get install --no-install-recommends rabbitmq-server"

# Two schedulers on any machine: the workers need the other cores. RabbitMQ 3.10 checks each virtual
# host after this number of seconds, multiplied by 4 milliseconds; no other node needs a tick.
_ERLANG = "+S 2:2 -kernel inet_dist_use_interface {127,0,0,1} net_ticktime 3600"
_POLL = 0.1
# Linux chooses clients' ports from 32768 on, so none can take one of these before it is used.
_PORTS = range(20_000, 32_000)


class RabbitMQNode:
    """
    A private RabbitMQ node, with its own ports on 127.0.0.1, folder, name and `epmd`.

    Several nodes can run at once, as root or as any user, and none affects the machine's own
    RabbitMQ. The kernel ends the node with the thread that started it, so start it in the main
    thread. Its data stay in its folder.

    Attributes:
        host: The address that it listens on.
        port: The AMQP port.
        url: The address of the default virtual host, as user guest.
    """

    host = "127.0.0.1"
    _prefix: Sequence[str] = ()
    """The prefix of its commands, such as `ip netns exec`."""

    def __init__(self, folder: Path) -> None:
        """Prepare a node in `folder` without starting it; `start` does both."""
        self.folder = folder.resolve()
        self.port, self._dist_port, self._epmd_port = free_ports(3)
        self._name = f"notify-{secrets.token_hex(4)}@localhost"
        self._sbin = _installed()
        self._plugins = self.folder / "plugins"
        self._epmd: subprocess.Popen[bytes] | None = None
        self._server: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(cls, folder: Path, *, timeout: float = 60.0) -> RabbitMQNode:
        """
        Start a node that keeps its data in `folder` and wait until it accepts AMQP connections.

        Raises:
            ConfigError: RabbitMQ is not installed, or did not start within `timeout` seconds.
        """
        node = cls(folder)
        node.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, text in (("rabbitmq.conf", "log.console = false"), ("enabled_plugins", "[].")):
            (node.folder / name).write_text(f"{text}\n")
            (node.folder / name).chmod(0o600)
        node._launch(timeout)
        return node

    @property
    def url(self) -> str:
        """The address of the default virtual host, as user guest."""
        return f"pyamqp://guest:guest@{self.host}:{self.port}//"

    @property
    def pid(self) -> int | None:
        """The process id of the node; None while it does not run."""
        return None if self._server is None else self._server.pid

    def vhost_url(self, vhost: str) -> str:
        """Return the address of another virtual host, as user guest."""
        return f"pyamqp://guest:guest@{self.host}:{self.port}/{vhost}"

    def ctl(self, *arguments: str, timeout: float = 60.0) -> str:
        """
        Run `rabbitmqctl` against this node and return what it printed. It takes about a second.

        Raises:
            ConfigError: The command failed or took too long; the text has its error output.
        """
        try:
            done = subprocess.run(  # noqa: S603 - Debian's own program, found by its path
                [*self._prefix, self._sbin / "rabbitmqctl", "--quiet", *arguments],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ConfigError(
                f"rabbitmqctl {arguments[0]} took longer than {timeout:g} s: the machine is"
                f" overloaded, or the node hangs; see the logs in {self.folder}"
            ) from None
        if done.returncode:
            raise ConfigError(f"rabbitmqctl {arguments[0]} failed: {done.stderr.strip()}")
        return done.stdout

    def kill(self) -> None:
        """
        End the node as a power failure would (kill -9); `restart` starts it again.

        Names of new queues are written to disk first: RabbitMQ 3.10 writes the name of a new quorum
        queue only after three minutes, and does not find the queue without it.
        """
        self.ctl("eval", "[dets:sync(Table) || Table <- dets:all()].")
        _end(self._server, signal.SIGKILL, timeout=10.0)
        self._server = None

    def restart(self, *, timeout: float = 60.0) -> None:
        """
        Stop the node if it runs, and start it again with the same address and data.

        Raises:
            ConfigError: It did not start within `timeout` seconds.
        """
        self._stop_server(timeout=20.0)
        self._launch(timeout)

    def stop(self, *, timeout: float = 20.0) -> None:
        """Stop the node and its `epmd`, by force after `timeout` seconds."""
        self._stop_server(timeout=timeout)
        _end(self._epmd, signal.SIGKILL, timeout=10.0)
        self._epmd = None

    def _stop_server(self, *, timeout: float) -> None:
        _end(self._server, signal.SIGTERM, timeout=timeout)
        self._server = None

    def _launch(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        try:
            if self._epmd is None:
                self._epmd = self._spawn(_epmd())
            link_needed(self._sbin.parent / "plugins", self._plugins)
            self._server = self._spawn(str(self._sbin / "rabbitmq-server"), "-noinput")
            self._wait(self._server, deadline)
        except BaseException:
            self.stop(timeout=0.0)
            raise

    def _spawn(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        with open(self.folder / "output.log", "ab", opener=private) as output:
            return subprocess.Popen(  # noqa: S603 - Debian's own programs, found by their paths
                [*DIE_WITH_PARENT, *self._prefix, program, *arguments],
                env=self._environment(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                umask=PRIVATE,
            )

    def _wait(self, server: subprocess.Popen[bytes], deadline: float) -> None:
        while not self._accepts():
            if server.poll() is not None:
                raise ConfigError(f"RabbitMQ ended while starting; see the logs in {self.folder}")
            if time.monotonic() > deadline:
                raise ConfigError(f"RabbitMQ did not start in time; see the logs in {self.folder}")
            time.sleep(_POLL)

    def _accepts(self) -> bool:
        connection = amqp.Connection(host=f"{self.host}:{self.port}", connect_timeout=2.0)
        try:
            connection.connect()
        except (OSError, amqp.AMQPError):
            return False
        connection.close()
        return True

    def _environment(self) -> dict[str, str]:
        """Return the environment of the node and its tools, without the machine's own settings."""
        folder = str(self.folder)
        kept = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
        return kept | {
            "HOME": folder,
            "LC_ALL": "C.UTF-8",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._epmd_port),
            # With input allowed, the start script execs the node, so that they have the same pid.
            "RABBITMQ_ALLOW_INPUT": "true",
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq.conf",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CTL_DIST_PORT_MAX": "36671",
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/enabled_plugins",
            "RABBITMQ_LOG_BASE": f"{folder}/log",
            "RABBITMQ_MNESIA_BASE": f"{folder}/data",
            "RABBITMQ_NODENAME": self._name,
            "RABBITMQ_NODE_IP_ADDRESS": self.host,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_PLUGINS_DIR": str(self._plugins),
            "RABBITMQ_PID_FILE": f"{folder}/pid",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": _ERLANG,
        }


def _installed() -> Path:
    """Return the folder of Debian's programs: those on the PATH require the user rabbitmq."""
    found = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin"))
    if not found:
        raise ConfigError(f"RabbitMQ is not installed; install it with: {INSTALL}")
    return found[-1]


def _epmd() -> str:
    program = shutil.which("epmd")
    if program is None:
        raise ConfigError(f"Erlang's epmd is not installed; install it with: {INSTALL}")
    return program


def free_ports(count: int) -> list[int]:
    """
    Return different ports of 127.0.0.1 that are free now, in a random place of `_PORTS`.

    Raises:
        ConfigError: Too few are free.
    """
    first = secrets.randbelow(len(_PORTS))
    found: list[int] = []
    with contextlib.ExitStack() as stack:
        for port in (*_PORTS[first:], *_PORTS[:first]):
            with contextlib.suppress(OSError):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
                found.append(port)
            if len(found) == count:
                return found
    raise ConfigError(f"ports {_PORTS[0]} to {_PORTS[-1]} of 127.0.0.1 are in use: free some")


def _end(process: subprocess.Popen[bytes] | None, sign: signal.Signals, *, timeout: float) -> None:
    """Signal the process and wait; then kill the rest of its process group."""
    if process is None:
        return
    process.send_signal(sign)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
