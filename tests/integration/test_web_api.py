"""`notify web api` as a process: its page's examples as written, behind its page's nginx."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import amqp
import httpx
import pytest

from notify.message import Status
from notify.stack.rabbitmq import free_ports
from notify.topology import Topology
from tests.support.authority import Authority
from tests.support.forked import Forked
from tests.support.least import logins
from tests.support.nginx import nginx
from tests.support.patience import PATIENCE
from tests.support.rig import Rig, surroundings, until
from tests.support.services import Users, missing

PAGE = Path(__file__).parents[2] / "docs/api.md"
EMAIL = {
    "channel": "email",
    "lane": "normal",
    "to": "ada@example.com",
    "subject": "Hello",
    "text": "Hi.",
}


@pytest.fixture
def rig(tmp_path: Path, broker_url: str) -> Iterator[Rig]:
    """A worker's surroundings on SQLite."""
    url = f"sqlite:///{tmp_path}/notify.db"
    with surroundings(tmp_path, broker_url=broker_url, store_url=url) as rig:
        yield rig


@contextmanager
def running(rig: Rig, port: int, **environ: str) -> Iterator[Forked]:
    """Run the API; it must exit with 0 when it is stopped."""
    ready = rig.folder / "api.ready"
    ready.unlink(missing_ok=True)
    options = {"NOTIFY_API__PORT": str(port), "KEY": "", **environ}
    process = rig.command("web", "api", "--ready-file", ready, **options)
    try:
        until(lambda: ready.exists() or process.poll() is not None)
        assert process.poll() is None, process.err()
        yield process
    finally:
        process.terminate()
        code = process.wait(30)
    assert code == 0, process.err()


def key_of(rig: Rig, source: str = "shop") -> str:
    """Make a key with all scopes, as an operator does."""
    scopes = [word for each in ("send", "read", "suppress") for word in ("--scope", each)]
    done = rig.notify("key", "new", "--source", source, *scopes, "--reason", "x", "--json")
    assert done.code == 0, done.err
    key: str = json.loads(done.out)["key"]
    return key


def blocks(language: str) -> list[str]:
    """Return the page's blocks of a language, without the indentation of a list."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", PAGE.read_text(), re.M | re.S)
    return [re.sub(rf"^{indent}", "", text, flags=re.M) for indent, text in found]


def test_the_examples_of_the_page_run_as_written(rig: Rig, tmp_path: Path) -> None:
    """With curl and httpx, through nginx with TLS; what they send is delivered."""
    if shutil.which("curl") is None:
        missing("curl is not installed: apt-get install curl")
    authority = Authority(tmp_path)
    certificate, key = authority.issue("notify")
    port, tls = free_ports(2)
    replaced = {
        "/etc/ssl/notify.pem": str(certificate),
        "/etc/ssl/notify.key": str(key),
        "127.0.0.1:8481": f"127.0.0.1:{port}",
    }
    with (
        rig.worker(),
        running(rig, port) as process,
        nginx(tmp_path, PAGE, port=tls, replaced=replaced),
    ):
        environ = {
            **os.environ,
            "NOTIFY": f"https://127.0.0.1:{tls}",
            "KEY": key_of(rig),
            "CURL_CA_BUNDLE": str(authority.file),
            "SSL_CERT_FILE": str(authority.file),
        }
        outputs: list[str] = []
        for block in blocks("bash"):
            if " -m 3 " in block:
                # Three seconds are enough for a reader, but not on a busy machine.
                outputs.append(_stream(block.replace(" -m 3 ", " "), environ, until="event: sent"))
                continue
            done = subprocess.run(
                ["bash", "-euc", block], env=environ, capture_output=True, text=True, timeout=60
            )
            assert done.returncode == 0, (block, done.stderr, done.stdout)
            outputs.append(done.stdout)
            if "ID" not in environ:
                accepted = json.loads(done.stdout)
                assert accepted["status"] == "accepted"
                environ["ID"] = accepted["id"]
                until(lambda: _status(rig, environ["ID"]) is Status.SENT)
        [program] = blocks("python")
        done = subprocess.run(
            [sys.executable, "-c", program], env=environ, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        until(lambda: _status(rig, done.stdout.strip()) is Status.SENT)
    shown, listed, events = outputs[1].strip().split("\n{")[0], outputs[1], outputs[1]
    assert '"status":"sent"' in shown
    assert '"notifications":[' in listed
    assert f'"id":"{environ["ID"]}"' in events.partition('"events":[')[2]
    assert "event: sent\ndata: {" in outputs[2]
    cancelled, feedback, suppression, preview = _documents(outputs[3])
    assert cancelled["type"] == "urn:notify:problem:too-late"
    assert feedback == {"id": environ["ID"]}
    assert suppression["scope"] == "source:shop"
    assert preview["subject"]
    assert '"level":"error"' not in process.err()


def _stream(block: str, environ: Mapping[str, str], *, until: str) -> str:
    """Run a block that prints events without end; return them up to the data after a line."""
    command = ["bash", "-euc", block]
    with subprocess.Popen(
        command, env=environ, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        hung = threading.Timer(PATIENCE, os.killpg, (process.pid, signal.SIGKILL))
        hung.start()
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            if lines[-2:-1] == [f"{until}\n"]:
                break
        hung.cancel()
        os.killpg(process.pid, signal.SIGKILL)
    return "".join(lines)


def _documents(text: str) -> list[dict[str, object]]:
    """Return the JSON documents of several answers, one after the other."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while at < len(text):
        document, at = decoder.raw_decode(text, at)
        found.append(document)
        at += len(text[at:]) - len(text[at:].lstrip())
    return found


def _status(rig: Rig, id_: str) -> Status | None:
    stories = rig.store.known_as(UUID(id_))
    return stories[0].status if stories else None


def test_without_a_broker_it_starts_and_promises_nothing(rig: Rig) -> None:
    """503 with Retry-After within the time of a confirm; the readiness probe names the reason."""
    port, closed = free_ports(2)
    broker = f"pyamqp://guest:guest@127.0.0.1:{closed}//"
    away = {"NOTIFY_AMQP__URL": broker, "NOTIFY_AMQP__CONFIRM_TIMEOUT": "0.5"}
    with running(rig, port, **away) as process:
        headers = {"Authorization": f"Bearer {key_of(rig)}"}
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=PATIENCE
        ) as client:
            answer = client.post("/v1/notifications", json=EMAIL)
            assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
            assert answer.json()["notifications"][0]["status"] == "unconfirmed"
            assert client.get("/v1/notifications").json()["notifications"] == []
            assert client.get("/readyz").text == "broker_away\n"
            assert client.get("/livez").status_code == 200
    assert "notify.api_unconfirmed" in process.err()


def test_its_rights_are_enough_and_no_more_and_tls_needs_no_proxy(
    users: Users, vhost_url: str, topology: Topology, tmp_path: Path
) -> None:
    """The user notify-api publishes for every source, and a strict consumer accepts it."""
    login = logins(users, vhost_url, topology)
    url = f"sqlite:///{tmp_path}/notify.db"
    authority = Authority(tmp_path)
    certificate, private = authority.issue("api")
    worker = login["notify-worker"].url
    (port,) = free_ports(1)
    with surroundings(tmp_path, broker_url=worker, store_url=url) as rig:
        with rig.config.open("a") as file:
            file.write("[contract]\nrequire_user_id = true\n")
        tls = {
            "NOTIFY_API__CERT_FILE": str(certificate),
            "NOTIFY_API__KEY_FILE": str(private),
            "NOTIFY_AMQP__URL": login["notify-api"].url,
        }
        with rig.worker(), running(rig, port, **tls) as process:
            context = ssl.create_default_context(cafile=authority.file)
            headers = {"Authorization": f"Bearer {key_of(rig, 'crm')}"}
            with httpx.Client(
                base_url=f"https://127.0.0.1:{port}",
                headers=headers,
                verify=context,
                timeout=PATIENCE,
            ) as client:
                answer = client.post("/v1/notifications", json=EMAIL)
                assert answer.status_code == 202, answer.text
                until(lambda: _status(rig, answer.json()["id"]) is Status.SENT)
                feedback = {"id": answer.json()["id"], "outcome": "confirmed"}
                assert client.post("/v1/feedback", json=feedback).status_code == 202
        assert '"level":"error"' not in process.err()
    mine = login["notify-api"]
    for exchange, key in (
        ("notify.work", "email.normal.shop"),
        ("notify", "optout.shop"),
        ("notify.receipts", "sendgrid.delivered"),
    ):
        with pytest.raises(amqp.AccessRefused):
            mine.publish(key, b"{}", exchange=exchange)
    with mine.channel() as channel, pytest.raises(amqp.AccessRefused):
        channel.basic_get("notify.email.normal")


def test_a_certificate_without_its_key_is_a_mistake_of_the_configuration(rig: Rig) -> None:
    """Found at the start, with the option's name."""
    half = rig.notify("web", "api", NOTIFY_API__CERT_FILE="/etc/x.pem")
    assert (half.code, "belong together" in half.err) == (1, True)
    both = {"NOTIFY_API__CERT_FILE": "/nowhere.pem", "NOTIFY_API__KEY_FILE": "/nowhere.key"}
    none = rig.notify("web", "api", **both)
    assert (none.code, "api.cert_file: /nowhere.pem" in none.err) == (1, True)
