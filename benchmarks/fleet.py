"""Workers without messages: the cost of a fleet for the database, the broker and the machine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, create_engine, text

from benchmarks.cpu import CpuWatch, cpu_between
from benchmarks.stage import processes, wait_until
from benchmarks.throughput import notify

SECONDS = 20.0
SETTLE = 10.0
"""Seconds after the start that are not measured: workers slow their looks down step by step."""

_TRANSACTIONS = text(
    "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
)
_CONNECTIONS = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@dataclass(frozen=True, slots=True)
class IdleFleet:
    """The cost of so many idle workers."""

    workers: int
    transactions: float
    """A second, on PostgreSQL."""
    connections: int
    """To PostgreSQL."""
    cpu: dict[str, float]
    """Percent of one core, by role."""


def measure(
    workers: int, *, config: Path, store_url: str, folder: Path, cpu: CpuWatch
) -> IdleFleet:
    """Start workers on empty queues of PostgreSQL's record, and measure for 20 seconds."""
    contender = notify("fleet", config=config)
    ready = [folder / f"fleet-{number}.ready" for number in range(workers)]
    commands = [_named(contender.commands[0], number, file) for number, file in enumerate(ready)]
    engine = create_engine(store_url)
    with ExitStack() as running:
        running.callback(engine.dispose)
        pids = []
        # Not all at once: two cores start twenty processes in half a minute either way.
        for command, file in zip(commands, ready, strict=True):
            started = running.enter_context(
                processes([command], environ=contender.environ, log=folder / "fleet.log")
            )
            wait_until(file.exists, what="an idle worker", timeout=120)
            pids += [process.pid for process in started]
        time.sleep(SETTLE)
        watch = cpu.of(pids)
        before, first = _number(engine, _TRANSACTIONS), watch.read()
        time.sleep(SECONDS)
        after, last = _number(engine, _TRANSACTIONS), watch.read()
        connections = _number(engine, _CONNECTIONS)
    used = cpu_between(first, last)
    return IdleFleet(
        workers,
        (after - before) / SECONDS,
        connections,
        {role: 100 * each / SECONDS for role, each in used.items()},
    )


def _named(command: Sequence[str], number: int, ready: Path) -> list[str]:
    ready.unlink(missing_ok=True)
    name = command.index("--name") + 1
    named = [*command[:name], f"email-{number + 1}", *command[name + 1 :]]
    return [*named, "--ready-file", str(ready)]


def _number(engine: Engine, query: object) -> int:
    with engine.connect() as connection:
        return int(connection.execute(query).scalar_one())  # type: ignore[call-overload]
