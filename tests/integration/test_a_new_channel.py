"""The channel of docs/adding-a-channel.md, added to a copy of the service and used end to end."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import uuid4

import amqp
import pytest
from sqlalchemy import select

from notify.publisher import connect
from notify.store import Store
from notify.store.tables import notifications
from notify.topology import EXCHANGE
from tests.support.malformed import JSON
from tests.support.migrated import migrated
from tests.support.rig import until
from tests.support.vendor import Vendor, say

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/adding-a-channel.md"
_PROGRAM = re.compile(r"^```\w+\n# (?P<name>[\w./-]+)\n(?P<text>.*?)^```$", re.M | re.S)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the service with the changes of the page."""
    tree = tmp_path / "service"
    for each in ("notify", "providers", "templates"):
        shutil.copytree(ROOT / each, tree / each, ignore=shutil.ignore_patterns("__pycache__"))
    for program in _PROGRAM.finditer(PAGE.read_text()):
        (tree / program["name"]).write_text(program["text"])
    table = tree / "notify/channels/table.py"
    imported = "from notify.channels.voice import VoiceChannel\nfrom notify.message"
    edit(table, "from notify.message", imported)
    edit(table, "PushChannel()", "PushChannel(), VoiceChannel()")
    words = tree / "notify/message/words.py"
    edit(words, 'PUSH = "push"', 'PUSH = "push"\n    VOICE = "voice"')
    return tree


def edit(path: Path, old: str, new: str) -> None:
    """Replace a text that is there once."""
    text = path.read_text()
    assert text.count(old) == 1, (path, old)
    path.write_text(text.replace(old, new))


@contextmanager
def worker(tree: Path, environ: dict[str, str]) -> Iterator[None]:
    """Run `notify worker voice` of the copy, and stop it as systemd does."""
    ready, log = tree / "ready", tree / "log"
    command = [sys.executable, "-m", "notify", "worker", "voice", "--ready-file", str(ready)]
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environ, stdout=out, stderr=out, cwd=tree)
        try:
            until(lambda: ready.exists() or process.poll() is not None)
            assert process.poll() is None, log.read_text()
            yield
        finally:
            process.terminate()
            code = process.wait(60)
    assert code == 0, log.read_text()


def statuses(store: Store) -> list[str]:
    """The statuses on record; this process does not know the channel."""
    with store.reading() as connection:
        return sorted(connection.execute(select(notifications.c.status)).scalars())


def test_a_call_is_delivered(tree: Path, broker_url: str) -> None:
    """Through RabbitMQ, a worker, the record and the vendor; another country is suppressed."""
    url = f"sqlite:///{tree}/notify.db"
    config = tree / "notify.toml"
    with Vendor() as vendor, closing(migrated(url)) as store:
        vendor.on("/calls", say(201, b'{"call_id": "c-1"}'))
        edit(config, "https://api.dial.example", vendor.url)
        config.write_text(
            f'{config.read_text()}\n[amqp]\nurl = "{broker_url}"\n[store]\nurl = "{url}"\n'
            "[metrics]\nenabled = false\n"
        )
        environ = {**os.environ, "PYTHONPATH": str(tree), "NOTIFY_CONFIG": str(config)}
        environ["PYTHONSAFEPATH"] = "1"
        command = [sys.executable, "-m", "notify", "topology", "apply"]
        subprocess.run(command, env=environ, check=True, capture_output=True, cwd=tree)
        with worker(tree, environ), connect(broker_url) as connection:
            channel = connection.channel()
            channel.confirm_select()
            for to in ("+4915112345678", "+12025550123"):
                body = json.dumps({"id": str(uuid4()), "to": to, "speech": "Hello."}).encode()
                message = amqp.Message(body, delivery_mode=2, **JSON)
                key = "voice.critical.shop"
                channel.basic_publish_confirm(message, EXCHANGE, key, mandatory=True, timeout=10)
            until(lambda: statuses(store) == ["sent", "suppressed"])
            for queue in ("critical", "normal", "bulk"):
                channel.queue_delete(f"notify.voice.{queue}")
        (call,) = vendor.seen
        sent = json.loads(call.body)
        assert (sent["to"], sent["say"]) == ("+4915112345678", "Hello.")
