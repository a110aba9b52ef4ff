"""Contenders with the same backlog, broker and provider: messages a second of each."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks import load, plain_queue
from benchmarks.cpu import CpuWatch, cpu_between
from benchmarks.stage import Nginx, processes, wait_until

PYTHON = sys.executable
NOTHING = CpuWatch()
CONFIG = """
[amqp]
url = "{amqp}"
[store]
url = "{store}"
# As Celery and the bare consumer do, and nginx counts requests; lane bulk fills its own.
[lanes.normal]
batch_size = 1
[pools.email]
channel = "email"
[channels.email]
providers = ["sendgrid"]
[providers.sendgrid]
use = "providers.sendgrid:SendGrid"
options = {{ sender = "no-reply@example.com", base_url = "{provider}" }}
secrets = {{ api_key = "BENCH_KEY" }}
"""
"""Notify's configuration, for any database and one provider, whose table is the last."""
WARM = 0.2
"""The share of the backlog that is not timed: processes start one after the other."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One contender: the messages that it receives, and its programs."""

    name: str
    commands: Sequence[Sequence[str]]
    environ: Mapping[str, str]
    speaks_celery: bool = False


class Moment(NamedTuple):
    """A moment of a delivery."""

    at: float
    """By `time.perf_counter`."""
    cpu: Mapping[str, float]
    """CPU seconds so far, by role."""


@dataclass(frozen=True, slots=True)
class Run:
    """A delivered backlog."""

    rate: float
    """Messages a second."""
    cpu: Mapping[str, float]
    """CPU milliseconds for a message, by role."""

    @classmethod
    def between(cls, first: Moment, last: Moment, *, messages: float) -> Run:
        """Return the figures of so many messages, delivered between two moments."""
        used = cpu_between(first.cpu, last.cpu)
        each = {role: 1e3 * seconds / messages for role, seconds in used.items()}
        return cls(messages / (last.at - first.at), each)


def middle(runs: Sequence[Run]) -> Run:
    """Return the medians of several runs of one contender."""
    return Run(
        median(run.rate for run in runs),
        {role: median(run.cpu[role] for run in runs) for role in runs[0].cpu},
    )


@dataclass(frozen=True, slots=True)
class Bench:
    """The contenders' environment."""

    amqp: str
    provider: Nginx
    folder: Path
    cpu: CpuWatch = NOTHING

    def run(self, contender: Contender, *, messages: int) -> Run:
        """Publish a backlog, and let the contender deliver it."""
        celery = contender.speaks_celery
        load.backlog(
            self.amqp,
            messages,
            build=load.task if celery else load.plain,
            route=(plain_queue.NAME, plain_queue.NAME) if celery else load.PLAIN_ROUTE,
        )
        before = self.provider.served()
        log = self.folder / f"{contender.name.replace(' ', '-')}.log"
        with processes(contender.commands, environ=contender.environ, log=log) as workers:
            watch = self.cpu.of([worker.pid for worker in workers])
            first = self._reach(before + int(messages * WARM), watch, what=contender.name)
            last = self._reach(before + messages, watch, what=contender.name)
            # The last message must be acknowledged before the processes are stopped.
            time.sleep(0.5)
        left = load.depth(self.amqp, [plain_queue.NAME if celery else load.QUEUE])
        extra = self.provider.served() - before - messages
        if left or extra:
            raise RuntimeError(f"{contender.name}: {left} left over, {extra} sent twice; see {log}")
        return Run.between(first, last, messages=messages * (1 - WARM))

    def _reach(self, served: int, watch: CpuWatch, *, what: str) -> Moment:
        wait_until(lambda: self.provider.served() >= served, what=what, timeout=180)
        return Moment(time.perf_counter(), watch.read())


def celery(name: str, *flags: str, amqp: str, provider: str) -> Contender:
    """Plain Celery with the SendGrid SDK."""
    command = [PYTHON, "-m", "celery", "-A", "benchmarks.plain_celery", "worker"]
    return Contender(
        f"celery {name}",
        [[*command, "-l", "warning", *flags]],
        {"BENCH_AMQP": amqp, "BENCH_PROVIDER": provider},
        speaks_celery=True,
    )


def bare(*, amqp: str, provider: str) -> Contender:
    """Two consumers with only a socket on each side."""
    return Contender(
        "bare py-amqp",
        [[PYTHON, "-m", "benchmarks.bare_amqp"]] * 2,
        {"BENCH_AMQP": amqp, "BENCH_PROVIDER": provider},
    )


def notify(name: str, *, config: Path, workers: int = 2) -> Contender:
    """Notify worker processes with all features, two by default."""
    return Contender(
        f"notify {name}",
        [
            [PYTHON, "-m", "notify", "worker", "email", "--name", f"email-{number}"]
            for number in range(1, workers + 1)
        ],
        {"NOTIFY_CONFIG": str(config), "BENCH_KEY": "bench-key"},
    )
