"""A drill's cluster: the network, the balancer, and reasons why it cannot be created."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.cluster import balancing, cluster
from tests.faults.network import Network, network
from tests.faults.unplayed import Unplayable

HOSTS = {number: f"10.213.7.{number}" for number in (1, 2, 3)}
HAPROXY = shutil.which("haproxy", path="/usr/sbin:/usr/bin")
LISTEN = """
import socket
with socket.create_server(("", 7)) as server:
    print("listening", flush=True)
    while True:
        server.accept()[0].close()
"""
CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], 7), timeout=1).close()"


@pytest.fixture
def laid() -> Iterator[Network]:
    """A network of two members."""
    with ExitStack() as cleanup:
        try:
            laid = cleanup.enter_context(network(2))
        except Unplayable as error:
            # No service that could be installed: a container may forbid namespaces.
            pytest.skip(str(error))
        yield laid


def test_the_balancer_is_the_one_that_operations_describes() -> None:
    """With our addresses in place of the page's, each of them."""
    text = balancing(4711, HOSTS)
    assert "bind 127.0.0.1:4711" in text
    assert [f"server rabbit{number} {host}:5672" in text for number, host in HOSTS.items()] == (
        [True] * 3
    )
    assert "192.0.2." not in text


@pytest.mark.skipif(HAPROXY is None, reason="HAProxy is not installed")
def test_haproxy_takes_the_balancers_configuration_without_a_warning(tmp_path: Path) -> None:
    """An operator copies it."""
    file = tmp_path / "haproxy.cfg"
    file.write_text(balancing(4711, HOSTS))
    done = subprocess.run(
        [HAPROXY or "", "-c", "-f", str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr


def test_a_member_that_is_cut_off_is_reached_by_us_alone(laid: Network) -> None:
    """A drill's clients still reach it, and its peers reach it again once it is healed."""
    server = subprocess.Popen(
        [*laid.inside(1), sys.executable, "-c", LISTEN], stdout=subprocess.PIPE
    )
    with server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == b"listening\n"
            peer, ours = [*laid.inside(2), sys.executable], [sys.executable]
            assert _connects(peer, laid)
            laid.cut(1)
            assert not _connects(peer, laid)
            assert _connects(ours, laid)
            laid.heal(1)
            assert _connects(peer, laid)
        finally:
            server.kill()


def _connects(start: list[str], laid: Network) -> bool:
    command = [*start, "-c", CONNECT, laid.address(1)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_without_root_there_is_no_network_and_the_reason_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The row of such a drill holds it."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Unplayable, match="needs root"), network(2):
        pass


def test_without_its_programs_a_cluster_names_the_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of the balancer before anything is started."""
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(Unplayable, match="apt-get install haproxy"), cluster(tmp_path):
        pass
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(Unplayable, match="apt-get install iproute2"), network(2):
        pass
