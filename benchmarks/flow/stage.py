"""A scene's environment: broker, record, sandbox and workers, each a separate process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.request import Request, urlopen

from sqlalchemy import Select, select

from benchmarks.flow.config import Terms, config
from benchmarks.flow.measure import Arrival
from notify.errors import PublishError
from notify.message import Channel, Status
from notify.publisher import Outgoing, Publisher, connect
from notify.stack.dummies import dummies
from notify.stack.process import Process, stop_all
from notify.store import Filter, Store
from notify.store.tables import attempts, notifications
from notify.topology import queue_name
from tests.faults.checker import Findings, check
from tests.faults.fleet import command_of
from tests.faults.ledgers import Published, read_record, read_sandbox
from tests.faults.load import Load
from tests.faults.stage import Services, ended, in_queues, queues, until

WORKERS = ("email-1", "email-2", "email-3", "email-4")
START = 60.0
"""Seconds that a process has to start."""
STOP = 60.0
REST = 180.0
"""Seconds in which everything comes to rest."""
LANES = ("critical", "normal", "bulk")
_NICE = {"receipts": 10, "web": 10}
"""By pool, the lower priority that a process has by its systemd unit."""


@dataclass(slots=True)
class Stage:
    """One scene's environment while it runs."""

    services: Services
    folder: Path
    store: Store
    store_url: str
    quick: bool
    sandboxes: Mapping[Channel, Process]
    """The sandboxes: one process for each channel, so that channels do not wait for each other."""
    environ: Mapping[str, str]
    workers: list[Process] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    """A sentence for each fault that is not a figure."""
    _loads: list[Load] = field(default_factory=list)

    @property
    def sandbox(self) -> Process:
        """The sandbox of the scene's first channel."""
        return next(iter(self.sandboxes.values()))

    @property
    def url(self) -> str:
        """The broker's address."""
        return self.services.broker.url

    def seconds(self, full: float, quick: float) -> float:
        """Return a duration, by the set that is played."""
        return quick if self.quick else full

    def start(self, *names: str) -> None:
        """Start workers, called by their pool and a number, and wait until they consume."""
        fresh = [self._worker(name) for name in names]
        self.workers += fresh
        for worker in fresh:
            worker.wait_ready(timeout=START)

    def stop(self) -> None:
        """Stop all workers; none may have died before."""
        self.faults += [f"{each.name} died" for each in self.workers if not each.running]
        stop_all(self.workers, timeout=STOP)
        self.workers.clear()

    def clear(self) -> None:
        """Stop everything, whatever happened."""
        for load in self._loads:
            load.abandon()
        self.stop()

    def notify(self, *command: str) -> float:
        """Run a `notify` command as an operator would; return the time of its end."""
        done = subprocess.run(
            [sys.executable, "-P", "-m", "notify", *command],
            env=dict(self.environ),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode:
            self.faults.append(f"notify {command[0]} exited with {done.returncode}: {done.stderr}")
        return time.time()

    def behave(self, account: str, **setting: str | float | None) -> float:
        """Set how the first channel's vendor treats an account from now on; return the moment."""
        body = json.dumps({"account": account, **setting}).encode()
        address = f"{self.sandbox.ready_text}/api/behaviour"
        with urlopen(Request(address, body, method="PUT"), timeout=10):
            return time.time()

    def arrivals(self, *accounts: str) -> list[Arrival]:
        """Return the requests to these accounts so far, or to any, from the sandboxes' ledgers."""
        texts = (_ledger(self.folder, channel).read_text() for channel in self.sandboxes)
        lines = (line for text in texts for line in text.rpartition("\n")[0].splitlines())
        found = (Arrival.of(json.loads(line)) for line in lines)
        return [each for each in found if not accounts or each.account in accounts]

    def times(self, *accounts: str) -> list[float]:
        """Return when requests reached these accounts, in order."""
        return sorted(each.at for each in self.arrivals(*accounts))

    def load(self, rate: int, make: Callable[[int], Outgoing]) -> Load:
        """Begin to publish a steady stream."""
        load = Load(self.url, self.folder, rate=rate, minimum=0, make=make)
        load.start()
        self._loads.append(load)
        return load

    def backlog(self, number: int, make: Callable[[int], Outgoing]) -> None:
        """
        Publish many at once.

        Raises:
            PublishError: One was not confirmed.
        """
        with Publisher(self.url) as publisher:
            for error in publisher.publish_many(map(make, range(number))):
                if isinstance(error, PublishError):
                    raise error

    def attempts(self, provider: str) -> list[float]:
        """Return when each attempt through a provider began, by the record."""
        return self._moments(select(attempts.c.started_at).where(attempts.c.provider == provider))

    def received(self) -> list[float]:
        """Return when a worker first received each notification, by the record."""
        return self._moments(select(notifications.c.received_at))

    def statuses(self) -> Mapping[Status, int]:
        """Count the notifications on record by their status."""
        return self.store.count(Filter())

    def come_to_rest(self, published: int) -> None:
        """Wait until all notifications have ended, and stop the workers."""
        if not until(lambda: ended(self.store, expected=published), timeout=REST):
            self.faults.append("not everything came to rest")
        self.stop()

    def depth(self, *lanes: str, channel: Channel = Channel.EMAIL) -> int:
        """Count the messages in lanes' queues, including unacknowledged ones."""
        return in_queues(self.services.broker.ctl, [queue_name(channel, lane) for lane in lanes])

    def configure(self, text: str) -> None:
        """Add to the configuration of all processes that start from now on."""
        with (self.folder / "notify.toml").open("a") as file:
            file.write(text)

    def purge(self, lane: str, channel: Channel = Channel.EMAIL) -> int:
        """Delete the ready messages of a queue; return their number."""
        with connect(self.url) as connection:
            dropped: int = connection.channel().queue_purge(queue_name(channel, lane))
        return dropped

    def log_lines(self, event: str) -> list[dict[str, object]]:
        """Return the workers' log lines of one event."""
        texts = (each.read_text() for each in self.folder.glob("email-*.log"))
        lines = (line for text in texts for line in text.splitlines() if f'"{event}"' in line)
        return [json.loads(line) for line in lines]

    def judged(self, published: Sequence[Published], *, cuts: int = 0) -> Findings:
        """Compare publisher, record and provider; each difference is a fault."""
        waiting = self.depth(*LANES)
        recorded = read_record(self.store, dead=(), waiting=waiting)
        ledger = _ledger(self.folder, next(iter(self.sandboxes)))
        findings = check(published, recorded, read_sandbox(ledger), cuts=cuts)
        self.faults += findings.violations[:20]
        return findings

    def _moments(self, wanted: Select[datetime]) -> list[float]:
        with self.store.reading() as connection:
            return sorted(at.timestamp() for at in connection.execute(wanted).scalars())

    def _worker(self, name: str) -> Process:
        return Process(
            name,
            command_of(name),
            log=self.folder / f"{name}.log",
            ready_file=self.folder / f"{name}.ready",
            environ=self.environ,
            nice=_NICE.get(name.partition("-")[0], 0),
        )


@contextmanager
def staged(shared: Services, folder: Path, terms: Terms, *, quick: bool) -> Iterator[Stage]:
    """Set up an environment without workers; stop everything afterwards."""
    folder.mkdir(parents=True)
    with ExitStack() as cleanup:
        url = f"sqlite:///{folder}/notify.db"
        if not terms.on_sqlite:
            url = cleanup.enter_context(shared.postgresql.database())
        store = Store.open(url)
        cleanup.callback(store.close)
        store.migrate()
        cleanup.enter_context(queues(shared.broker.url))
        sandboxes = {channel: _sandbox(folder, channel, terms) for channel in terms.channels}
        cleanup.callback(stop_all, list(sandboxes.values()), timeout=5.0)
        for sandbox in sandboxes.values():
            sandbox.wait_ready(timeout=START)
        addresses = {channel: each.ready_text for channel, each in sandboxes.items()}
        path = folder / "notify.toml"
        path.write_text(config(terms, broker=shared.broker.url, store=url, sandboxes=addresses))
        # The last channel is push, if there is one: its sandbox issues the tokens.
        secrets = dummies(next(reversed(addresses.values())))
        environ = {**_plain_environ(), **secrets, "NOTIFY_CONFIG": str(path)}
        stage = Stage(shared, folder, store, url, quick, sandboxes, environ)
        cleanup.callback(stage.clear)
        yield stage


def _sandbox(folder: Path, channel: Channel, terms: Terms) -> Process:
    options = ["--port", "0", "--latency", f"{terms.latency:g}s"]
    return Process(
        f"sandbox {channel}",
        ["sandbox", *options, "--ledger", str(_ledger(folder, channel))],
        log=folder / f"sandbox-{channel}.log",
        ready_file=folder / f"sandbox-{channel}.ready",
        environ=_plain_environ(),
    )


def _ledger(folder: Path, channel: Channel) -> Path:
    return folder / f"sandbox-{channel}.jsonl"


def _plain_environ() -> dict[str, str]:
    return {name: text for name, text in os.environ.items() if not name.startswith("NOTIFY_")}
