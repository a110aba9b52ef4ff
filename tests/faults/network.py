"""A network of namespaces on this machine, whose members can be cut off from each other."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from tests.faults.unplayed import Unplayable

_NOWHERE = "02:00:00:00:00:fe"
"""An unused hardware address: frames to it are dropped silently."""


@dataclass(frozen=True, slots=True)
class Network:
    """Members with an address each, numbered from 1; this process reaches all of them."""

    name: str
    net: str
    size: int

    def address(self, member: int) -> str:
        """Return a member's IPv4 address."""
        return f"{self.net}.{member}"

    def inside(self, member: int) -> Sequence[str]:
        """Return the command prefix that runs a program as a member."""
        return ("ip", "netns", "exec", self._namespace(member))

    def cut(self, member: int) -> None:
        """Silently drop traffic between a member and the others; we still reach all."""
        for here, there in self._ways(member):
            wrong = ("lladdr", _NOWHERE, "nud", "permanent")
            self._neighbour(here, "replace", self.address(there), *wrong)

    def heal(self, member: int) -> None:
        """Reconnect a member and the others."""
        for here, there in self._ways(member):
            self._neighbour(here, "del", self.address(there))

    def _ways(self, member: int) -> Iterator[tuple[int, int]]:
        for other in range(1, self.size + 1):
            if other != member:
                yield member, other
                yield other, member

    def _neighbour(self, member: int, verb: str, *words: str) -> None:
        _ip("-n", self._namespace(member), "neighbour", verb, *words, "dev", "eth0")

    def _namespace(self, member: int) -> str:
        return f"{self.name}-{member}"


@contextmanager
def network(size: int) -> Iterator[Network]:
    """
    Create a network, and remove it afterwards.

    Raises:
        Unplayable: Not possible here: it needs root, iproute2 and namespaces.
    """
    if os.geteuid() != 0:
        raise Unplayable("a network of namespaces needs root")
    if shutil.which("ip") is None:
        raise Unplayable("a network of namespaces needs iproute2: apt-get install iproute2")
    # Two sessions on one machine have two networks; an interface's name has 15 letters at most.
    number = os.getpid() % 250
    laid = Network(f"nf{os.getpid() % 10**7}", f"10.213.{number}", size)
    with ExitStack() as cleanup:
        _ip("link", "add", laid.name, "type", "bridge")
        cleanup.callback(_ip, "link", "del", laid.name)
        _ip("address", "add", f"{laid.net}.254/24", "dev", laid.name)
        _ip("link", "set", laid.name, "up")
        for member in range(1, size + 1):
            _join(laid, member, cleanup)
        yield laid


def _join(laid: Network, member: int, cleanup: ExitStack) -> None:
    namespace, cable = f"{laid.name}-{member}", f"{laid.name}v{member}"
    _ip("netns", "add", namespace)
    cleanup.callback(_ip, "netns", "del", namespace)
    _ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", namespace)
    _ip("link", "set", cable, "master", laid.name, "up")
    for words in (
        ("address", "add", f"{laid.address(member)}/24", "dev", "eth0"),
        ("link", "set", "eth0", "up"),
        ("link", "set", "lo", "up"),
    ):
        _ip("-n", namespace, *words)


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unplayable(f"`ip {' '.join(words)}` failed: {done.stderr.strip()}")
