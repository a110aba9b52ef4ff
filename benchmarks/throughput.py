"""Contenders with the same backlog, broker and provider: messages a second of each."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import load, plain_queue
from benchmarks.stage import Nginx, processes, wait_until

PYTHON = sys.executable
WARM = 0.2
"""The share of the backlog that is not timed: processes start one after the other."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One contender: the messages that it receives, and its programs."""

    name: str
    commands: Sequence[Sequence[str]]
    environ: Mapping[str, str]
    speaks_celery: bool = False


@dataclass(frozen=True, slots=True)
class Bench:
    """The contenders' environment."""

    amqp: str
    provider: Nginx
    folder: Path

    def run(self, contender: Contender, *, messages: int) -> float:
        """Publish a backlog, let the contender deliver it, and return its rate a second."""
        celery = contender.speaks_celery
        load.backlog(
            self.amqp,
            messages,
            build=load.task if celery else load.plain,
            route=(plain_queue.NAME, plain_queue.NAME) if celery else load.PLAIN_ROUTE,
        )
        before = self.provider.served()
        log = self.folder / f"{contender.name.replace(' ', '-')}.log"
        with processes(contender.commands, environ=contender.environ, log=log):
            start = self._reach(before + int(messages * WARM), what=contender.name)
            end = self._reach(before + messages, what=contender.name)
            # The last message must be acknowledged before the processes are stopped.
            time.sleep(0.5)
        left = load.depth(self.amqp, [plain_queue.NAME if celery else load.QUEUE])
        extra = self.provider.served() - before - messages
        if left or extra:
            raise RuntimeError(f"{contender.name}: {left} left over, {extra} sent twice; see {log}")
        return messages * (1 - WARM) / (end - start)

    def _reach(self, served: int, *, what: str) -> float:
        wait_until(lambda: self.provider.served() >= served, what=what, timeout=180)
        return time.perf_counter()


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


def notify(name: str, *, config: Path) -> Contender:
    """Two notify worker processes with all features."""
    return Contender(
        f"notify {name}",
        [
            [PYTHON, "-m", "notify", "worker", "email", "--name", f"email-{number}"]
            for number in (1, 2)
        ],
        {"NOTIFY_CONFIG": str(config), "BENCH_KEY": "bench-key"},
    )
