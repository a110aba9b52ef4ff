"""The ports of a stack's own services."""

from __future__ import annotations

import secrets
import socket
from pathlib import Path

import pytest

from notify.errors import ConfigError
from notify.stack import rabbitmq
from notify.stack.rabbitmq import free_ports


def test_no_client_connection_can_take_a_port_before_it_is_used() -> None:
    """The kernel chooses the ports of connections from another range."""
    settings = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text()
    first, last = map(int, settings.split())
    found = free_ports(5)
    assert len(set(found)) == 5
    assert not [port for port in found if first <= port <= last]


def test_a_port_in_use_is_not_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one is; if none is left, the error says so."""
    used, following = sorted(free_ports(2))
    monkeypatch.setattr(rabbitmq, "_PORTS", range(used, following + 1))
    monkeypatch.setattr(secrets, "randbelow", lambda _: 0)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", used))
        assert free_ports(1)[0] != used
        with pytest.raises(ConfigError, match=f"ports {used} to {following} of 127.0.0.1"):
            free_ports(following - used + 1)
