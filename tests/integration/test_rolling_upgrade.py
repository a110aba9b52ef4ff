"""An upgrade under way: the code before the last migration, and this one, on one record."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from notify.message import Channel
from notify.publisher import Outgoing
from notify.sandbox import Sandbox
from notify.store import Filter, Store
from notify.topology import routing_key
from tests.faults.checker import check
from tests.faults.ledgers import read_record, read_sandbox
from tests.faults.load import LANE, SOURCE, Load
from tests.faults.stage import ended
from tests.support.forked import Forked
from tests.support.rig import complete_lines, until

ROOT = Path(__file__).parents[2]
NEWEST = "notify/store/migrations/versions/v0010_scale.py"
"""The old code is the one before the commit that brought it."""
RATE = 40
CONFIG = """
[amqp]
url = "{broker_url}"
[store]
url = "{store_url}"
[lanes.normal]
first_wait = 0.3
longest_wait = 2
[channels.email]
providers = ["sendgrid"]
[providers.sendgrid]
use = "providers.sendgrid:SendGrid"
options = {{ sender = "a@example.com", base_url = "{sandbox_url}" }}
secrets = {{ api_key = "KEY" }}
"""


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The old code, taken from git's history."""
    found = _git("log", "--diff-filter=A", "--format=%H", "--", NEWEST).decode().split()
    if not found:
        pytest.skip("git's history does not reach back to the code before the last migration")
    folder = tmp_path_factory.mktemp("old")
    archive = _git("archive", f"{found[-1]}~1", "notify", "providers", "templates")
    # Debian 12's tarfile has no filter, and later ones warn without it.
    subprocess.run(["tar", "--extract", "--directory", folder], input=archive, check=True)
    assert not (folder / NEWEST).exists()
    return folder


def _git(*arguments: str) -> bytes:
    if shutil.which("git") is None:
        pytest.skip("git is not installed here, so there is no old code")
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"git does not give the old code: {done.stderr.decode().strip()}")
    return done.stdout


@dataclass(frozen=True)
class Release:
    """One version of the code, and how it is run."""

    name: str
    code: Path
    folder: Path
    environ: Mapping[str, str]
    workers: list[subprocess.Popen[bytes] | Forked] = field(default_factory=list)

    def migrate(self) -> None:
        """Migrate the record to this version's tables."""
        migrated = self._started("migrate", log=self.folder / f"{self.name}.migrated")
        assert migrated.wait(60) == 0, (self.folder / f"{self.name}.migrated").read_text()

    def start(self) -> subprocess.Popen[bytes] | Forked:
        """Start a worker, and wait until it consumes."""
        ready = self.folder / f"{self.name}.ready"
        ready.unlink(missing_ok=True)
        options = ("--name", self.name, "--ready-file", str(ready))
        worker = self._started("worker", "email", *options, log=self.log)
        self.workers.append(worker)
        until(lambda: ready.exists() or worker.poll() is not None)
        assert worker.poll() is None, self.log.read_text()
        return worker

    @property
    def log(self) -> Path:
        """Its worker's log."""
        return self.folder / f"{self.name}.log"

    def ids(self, event: str) -> set[str]:
        """Find the notifications of which its worker has logged something."""
        lines = (json.loads(line) for line in complete_lines(self.log).splitlines())
        return {line["id"] for line in lines if line["event"] == event}

    def _started(self, *arguments: str, log: Path) -> subprocess.Popen[bytes] | Forked:
        if self.code == ROOT:
            return Forked(arguments, environ=self.environ, out=log, err=log)
        command = self._command(*arguments)
        with log.open("wb") as out:
            return subprocess.Popen(
                command, env=dict(self.environ), cwd=self.folder, stdout=out, stderr=out
            )

    def _command(self, *arguments: str) -> list[str]:
        # The folder comes before what is installed; it must be its code that runs.
        check = f"import notify; assert notify.__file__.startswith({str(self.code)!r}), notify"
        program = f"import sys; {check}; from notify.cli import main; main()"
        return [sys.executable, "-P", "-c", program, *arguments]


@dataclass(frozen=True)
class Here:
    """The services that both versions use."""

    old: Release
    new: Release
    store: Store
    load: Load
    sandbox: Path


@pytest.fixture
def here(tmp_path: Path, broker_url: str, postgres_url: str, old: Path) -> Iterator[Here]:
    """A record as the old code has made it, and a producer that has not begun."""
    ledger = tmp_path / "sandbox.jsonl"
    with Sandbox.start(port=0, latency=0.05, ledger=ledger) as sandbox:
        config = CONFIG.format(
            broker_url=broker_url, store_url=postgres_url, sandbox_url=sandbox.url
        )

        def release(name: str, code: Path, more: str = "") -> Release:
            path = tmp_path / f"{name}.toml"
            path.write_text(config + more)
            environ = {"NOTIFY_CONFIG": str(path), "KEY": "SG.test", "PYTHONPATH": str(code)}
            return Release(name, code, tmp_path, os.environ | environ)

        before, after = release("old", old), release("new", ROOT, "[metrics]\nenabled = false\n")
        before.migrate()
        store = Store.open(postgres_url)
        load = Load(broker_url, tmp_path, rate=RATE, minimum=0, make=_request)
        yield Here(before, after, store, load, ledger)
        for worker in (*before.workers, *after.workers):
            worker.send_signal(signal.SIGKILL)
            worker.wait(10)
        store.close()


def _request(number: int) -> Outgoing:
    """Make an email: some need three tries, some are to be sent in a moment."""
    id_ = str(uuid4())
    to = f"flaky+{number}@sandbox.test" if number % 5 == 0 else f"r{number}@sandbox.test"
    body = {"id": id_, "to": to, "subject": "Hello", "text": "Hi."}
    if number % 7 == 0:
        body["send_at"] = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    key = routing_key(Channel.EMAIL, LANE, SOURCE)
    return Outgoing(body=json.dumps(body).encode(), routing_key=key, message_id=id_)


def test_old_and_new_workers_share_a_record_while_it_is_migrated(here: Here) -> None:
    """Nothing is lost or sent twice; one version sends what the other has deferred."""
    old = here.old.start()
    here.load.start()
    until(lambda: len(here.old.ids("notify.sent")) > RATE)
    here.new.migrate()
    new = here.new.start()
    until(lambda: len(here.new.ids("notify.sent")) > RATE)
    old.send_signal(signal.SIGTERM)
    assert old.wait(30) == 0, here.old.log.read_text()
    here.load.finish(timeout=60.0, tail=RATE)
    published = here.load.journal.latest()
    until(
        lambda: ended(here.store, expected=len(published)),
        found=lambda: (len(published), here.store.count(Filter()), here.store.find(Filter())[:3]),
    )
    new.send_signal(signal.SIGTERM)
    assert new.wait(30) == 0, here.new.log.read_text()
    recorded = read_record(here.store, dead=(), waiting=0)
    findings = check(published, recorded, read_sandbox(here.sandbox), cuts=0)
    assert findings.violations == ()
    assert (findings.lost, findings.duplicates_resend, findings.unknown) == (0, 0, 0)
    begun, sent = here.old.ids("notify.queued"), here.new.ids("notify.sent")
    assert begun & sent
    # The way back: these tables still serve the old code.
    again = here.old.start()
    again.send_signal(signal.SIGTERM)
    assert again.wait(30) == 0, here.old.log.read_text()
