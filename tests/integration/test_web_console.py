"""`notify web console` as a process: behind a proxy on a Unix socket, and without a broker."""

from __future__ import annotations

import signal
import ssl
from pathlib import Path

import httpx
import pytest

from notify.stack.login import grant_login
from notify.stack.rabbitmq import free_ports
from notify.store import ActFilter, Store, find_acts
from tests.support.authority import Authority
from tests.support.forked import Forked
from tests.support.nginx import nginx
from tests.support.patience import PATIENCE
from tests.support.rig import Rig, surroundings, until

PAGE = Path(__file__).parents[2] / "docs/console.md"
WORD = "correct horse battery"
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
    with httpx.Client(
        transport=transport, base_url="http://x", headers=headers, timeout=PATIENCE
    ) as client:
        overview = client.get("/")
        assert overview.status_code == 200
        assert "email.normal" in overview.text
        form = {"channel": "email", "reason": "INC-7"}
        assert client.post("/holds", data=form).status_code == 303
        assert client.post("/holds", data=form, headers={"Origin": "null"}).status_code == 403
        assert client.get("/", headers={"Remote-Groups": "none"}).status_code == 403
    assert _audit(rig.store) == [("proxy:ann@console", "hold")]
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0
    assert not path.exists()


def test_a_user_signs_in_through_the_pages_proxy(rig: Rig) -> None:
    """The page's example of nginx: a sign-in through it works, with the cookie for HTTPS alone."""
    authority = Authority(rig.folder)
    certificate, key = authority.issue("console")
    port, tls = free_ports(2)
    public = f"https://127.0.0.1:{tls}"
    with rig.config.open("a") as file:
        file.write(f'[console]\npublic_url = "{public}"\nport = {port}\n')
    grant_login(rig.store, WORD)
    process = _started(rig)
    assert process.poll() is None, process.err()
    replaced = {
        "server_name console.example.com": "server_name 127.0.0.1",
        "/etc/ssl/console.pem": str(certificate),
        "/etc/ssl/private/console.key": str(key),
        "127.0.0.1:8490": f"127.0.0.1:{port}",
        "Host $host": f"Host $host:{tls}",
    }
    context = ssl.create_default_context(cafile=authority.file)
    with (
        nginx(rig.folder, PAGE, port=tls, replaced=replaced),
        httpx.Client(
            base_url=public, headers={"Origin": public}, verify=context, timeout=PATIENCE
        ) as client,
    ):
        signed_in = client.post("/sign-in", data={"name": "up", "password": WORD})
        assert signed_in.status_code == 303
        assert "__Host-" in signed_in.headers["Set-Cookie"]
        assert "email.normal" in client.get("/").text
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0


def test_a_console_starts_without_its_broker_and_not_unprotected(rig: Rig) -> None:
    """Its pages say that the broker is away; beyond this machine it refuses to start."""
    (port,) = free_ports(1)
    refused = _started(rig, NOTIFY_CONSOLE__LISTEN="0.0.0.0")  # noqa: S104 - it is refused
    assert refused.wait(PATIENCE) == 1
    assert "console.public_url" in refused.err()
    process = _started(
        rig, NOTIFY_AMQP__URL="pyamqp://g:g@127.0.0.1:1//", NOTIFY_CONSOLE__PORT=str(port)
    )
    assert process.poll() is None, process.err()
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as client:
        assert client.get("/sign-in").status_code == 200
        assert client.get("/").headers["location"] == "/sign-in"
    process.terminate()
    assert process.wait(PATIENCE) == 0
