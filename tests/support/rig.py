"""A worker's whole environment of real parts: broker, record, vendors' stand-in."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import amqp

from notify.message import Status
from notify.sandbox import Sandbox
from notify.store import Store
from notify.topology import DEAD, EXCHANGE
from tests.support import queues
from tests.support.commands import Done
from tests.support.forked import Forked
from tests.support.malformed import JSON
from tests.support.migrated import migrated
from tests.support.patience import PATIENCE, connect

CONFIG = """
[amqp]
url = "{broker_url}"
[store]
url = "{store_url}"
[metrics]
enabled = false
[pools.email]
channel = "email"
concurrency = 8
[channels.email]
providers = ["sendgrid"]
[providers.sendgrid]
use = "providers.sendgrid:SendGrid"
options = {{ sender = "a@example.com", base_url = "{sandbox_url}", timeout = 25 }}
secrets = {{ api_key = "KEY" }}
"""


APART = {"NOTIFY_LANES__NORMAL__BATCH_SIZE": "1"}
"""In one request, a reserved recipient of the sandbox would decide for the others."""


@dataclass(frozen=True)
class Rig:
    """The services that a worker needs, and its visible results."""

    config: Path
    folder: Path
    broker_url: str
    store: Store
    sandbox: Sandbox

    def start(self, name: str = "email", *, pool: str = "email") -> Forked:
        """Start a worker, without waiting for it or stopping it."""
        ready = self._ready(name)
        ready.unlink(missing_ok=True)
        log = self.folder / f"{name}.log"
        arguments = ["worker", pool, "--name", name, "--ready-file", str(ready)]
        return Forked(arguments, environ=self._environ(), out=log, err=log)

    def command(self, *arguments: object, **environ: str) -> Forked:
        """Start a command as an operator does, without waiting for it."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        return Forked(
            [str(each) for each in arguments],
            environ={**self._environ(), **environ},
            out=folder / "out",
            err=folder / "err",
        )

    def notify(self, *arguments: object, **environ: str) -> Done:
        """Run a command to its end."""
        return self.command(*arguments, **environ).done()

    def _environ(self) -> Mapping[str, str]:
        return {**os.environ, "NOTIFY_CONFIG": str(self.config), "KEY": "SG.test", **APART}

    @contextmanager
    def worker(self, name: str = "email", *, pool: str = "email") -> Iterator[Forked]:
        """Run a worker; it must exit with 0 when it is stopped, unless it was killed."""
        process = self.start(name, pool=pool)
        try:
            until(lambda: self._ready(name).exists() or process.poll() is not None)
            assert process.poll() is None, self.log(name)
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
            code = process.wait(PATIENCE)
        assert code in (0, -signal.SIGKILL), self.log(name)

    def _ready(self, name: str) -> Path:
        return self.folder / f"{name}.ready"

    def log(self, name: str = "email") -> str:
        """Return a worker's log lines; the last one only once it is complete."""
        return complete_lines(self.folder / f"{name}.log")

    def publish(
        self,
        body: bytes,
        key: str = "email.normal.shop",
        properties: Mapping[str, Any] = JSON,
    ) -> None:
        """Publish one message with the given AMQP properties, and wait for its confirm."""
        self._publish([body], key, properties)

    def _publish(
        self, bodies: Sequence[bytes], key: str = "email.normal.shop", properties: Any = JSON
    ) -> None:
        others = dict(properties)
        headers = others.pop("headers", {})
        with connect(self.broker_url) as connection:
            channel = connection.channel()
            channel.confirm_select()
            for body in bodies:
                message = amqp.Message(body, application_headers=headers, delivery_mode=2, **others)
                channel.basic_publish_confirm(
                    message, EXCHANGE, key, mandatory=True, timeout=PATIENCE
                )

    def request(self, **fields: Any) -> UUID:
        """Publish one email and return its id."""
        return self.requests(1, **fields)[0]

    def requests(self, number: int, *, key: str = "email.normal.shop", **fields: Any) -> list[UUID]:
        """Publish emails in one go, however busy the machine is, and return their ids."""
        ids = [uuid4() for _ in range(number)]
        request = {"to": "ada@example.com", "subject": "Hello", "text": "Hi.", **fields}
        self._publish([json.dumps({"id": str(id_), **request}).encode() for id_ in ids], key)
        return ids

    def status(self, id_: UUID) -> Status | None:
        """Return a notification's status."""
        story = self.store.get(id_)
        return story.status if story else None

    def dead(self) -> list[bytes]:
        """Remove and return all messages of the dead queue."""
        bodies = []
        with connect(self.broker_url) as connection:
            channel = connection.channel()
            while (message := channel.basic_get(DEAD, no_ack=True)) is not None:
                bodies.append(bytes(message.body or b""))
        return bodies

    def waiting(self, *names: str) -> int:
        """Count the messages that are ready in queues."""
        return queues.waiting(self.broker_url, *names)


def complete_lines(log: Path) -> str:
    """Return the lines of a file that a process may be writing, which writes a line in parts."""
    written = log.read_bytes()
    return written[: written.rfind(b"\n") + 1].decode()


def until(
    true: Callable[[], bool],
    *,
    timeout: float = PATIENCE,
    found: Callable[[], object] = lambda: None,
) -> None:
    """
    Wait for a condition; fail if it takes too long. A test must not assert that it is quick.

    *found* returns what a failure shows.
    """
    end, pause = time.monotonic() + timeout, 0.02
    while not true():
        assert time.monotonic() < end, f"it took too long: {found()}"
        time.sleep(pause)
        # Most conditions open a connection, and the cores are busy.
        pause = min(pause * 1.5, 0.2)


@contextmanager
def surroundings(folder: Path, *, broker_url: str, store_url: str) -> Iterator[Rig]:
    """Migrate the record, start the sandbox, write the configuration."""
    store = migrated(store_url)
    with Sandbox.start(port=0) as sandbox:
        config = folder / "notify.toml"
        text = CONFIG.format(broker_url=broker_url, store_url=store_url, sandbox_url=sandbox.url)
        config.write_text(text)
        yield Rig(config, folder, broker_url, store, sandbox)
    store.close()
