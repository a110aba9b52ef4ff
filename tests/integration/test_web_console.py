"""`notify web console` as a process: behind a proxy on a Unix socket, and without a broker."""

from __future__ import annotations

import signal
from pathlib import Path

import httpx
import pytest

from notify.stack.rabbitmq import free_ports
from notify.store import ActFilter, Store, find_acts
from tests.support.forked import Forked
from tests.support.rig import Rig, surroundings, until

PROXY = """
[console]
public_url = "https://console.example.com"
[console.proxy]
socket = "{socket}"
roles = {{ ops = "operator", staff = "viewer" }}
"""


@pytest.fixture
def rig(tmp_path: Path, broker_url: str) -> object:
    with surroundings(
        tmp_path, broker_url=broker_url, store_url=f"sqlite:///{tmp_path}/notify.db"
    ) as rig:
        yield rig


def _started(rig: Rig, **environ: str) -> Forked:
    ready = rig.folder / "console.ready"
    process = rig.command("web", "console", "--ready-file", ready, **environ)
    until(lambda: ready.exists() or process.poll() is not None)
    return process


def _audit(store: Store) -> list[tuple[str, str]]:
    with store.reading() as connection:
        return [(act.actor, act.action) for act in find_acts(connection, ActFilter(), limit=10)]


def test_a_proxys_users_act_over_a_unix_socket(rig: Rig) -> None:
    """The overview shows the queues; an act has the user's name; a stop removes the socket."""
    path = rig.folder / "socket"
    with rig.config.open("a") as file:
        file.write(PROXY.format(socket=path))
    process = _started(rig)
    assert process.poll() is None, process.err()
    headers = {
        "Host": "console.example.com",
        "Origin": "https://console.example.com",
        "Remote-User": "ann",
        "Remote-Groups": "ops",
    }
    transport = httpx.HTTPTransport(uds=str(path))
    with httpx.Client(transport=transport, base_url="http://x", headers=headers) as client:
        overview = client.get("/")
        assert overview.status_code == 200
        assert "email.normal" in overview.text
        form = {"channel": "email", "reason": "INC-7"}
        assert client.post("/holds", data=form).status_code == 303
        assert client.post("/holds", data=form, headers={"Origin": "null"}).status_code == 403
        assert client.get("/", headers={"Remote-Groups": "none"}).status_code == 403
    assert _audit(rig.store) == [("proxy:ann@console", "hold")]
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert not path.exists()


def test_a_console_starts_without_its_broker_and_not_unprotected(rig: Rig) -> None:
    """Its pages say that the broker is away; beyond this machine it refuses to start."""
    (port,) = free_ports(1)
    refused = _started(rig, NOTIFY_CONSOLE__LISTEN="0.0.0.0")  # noqa: S104 - it is refused
    assert refused.wait(30) == 1
    assert "console.public_url" in refused.err()
    process = _started(
        rig, NOTIFY_AMQP__URL="pyamqp://g:g@127.0.0.1:1//", NOTIFY_CONSOLE__PORT=str(port)
    )
    assert process.poll() is None, process.err()
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        assert client.get("/sign-in").status_code == 200
        assert client.get("/").headers["location"] == "/sign-in"
    process.terminate()
    assert process.wait(30) == 0
