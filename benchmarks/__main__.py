"""
`make bench`: notify beside plain Celery and the bare broker, in one run on one machine.

Others run alone: `python -m benchmarks.scale` (large records), `benchmarks.relay`,
`benchmarks.providers`.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from benchmarks import (
    api,
    bulk,
    fleet,
    latency,
    plain_queue,
    providers,
    publishing,
    receipts,
    suppression,
)
from benchmarks.cpu import CpuWatch
from benchmarks.report import Results
from benchmarks.stage import Nginx, processes, wait_until
from benchmarks.throughput import CONFIG, Bench, Contender, Run, bare, celery, middle, notify
from notify.publisher import connect
from notify.service.broker import topology_of
from notify.settings import Settings
from notify.stack.rabbitmq import RabbitMQNode
from notify.store import Filter, Store
from notify.topology import apply
from tests.support.services import PostgreSQL


@dataclass(frozen=True, slots=True)
class Stage:
    """The broker, the databases and the folder of one run."""

    amqp: str
    stores: Mapping[str, str]
    folder: Path
    pair: tuple[str, str]
    """Two more databases of PostgreSQL, for the cost of the suppression list."""
    cpu: CpuWatch
    """Watches PostgreSQL and RabbitMQ."""

    def config(self, name: str, provider: str) -> Path:
        """Write notify's configuration for one store and one provider."""
        return self.config_of(name, self.stores[name], provider)

    def config_of(self, name: str, store: str, provider: str) -> Path:
        """Write notify's configuration for any database and one provider."""
        path = self.folder / f"{name}-{provider.rsplit(':', 1)[1]}.toml"
        path.write_text(CONFIG.format(amqp=self.amqp, store=store, provider=provider))
        return path


@contextmanager
def staged() -> Iterator[Stage]:
    """Start the services that all contenders share."""
    with tempfile.TemporaryDirectory(prefix="notify-bench-") as name:
        folder = Path(name)
        node = RabbitMQNode.start(folder / "rabbitmq")
        postgresql = PostgreSQL()
        try:
            postgresql.start()
            with (
                postgresql.database() as database,
                postgresql.database() as free,
                postgresql.database() as filled,
            ):
                stores = {"PostgreSQL": database, "SQLite": f"sqlite:///{folder}/notify.db"}
                for url in (*stores.values(), free, filled):
                    Store.open(url).migrate()
                with connect(node.url) as connection:
                    apply(topology_of(Settings()), connection)
                plain_queue.declare(node.url)
                assert node.pid is not None
                assert postgresql.pid is not None
                cpu = CpuWatch({"PostgreSQL": [postgresql.pid], "RabbitMQ": [node.pid]})
                yield Stage(node.url, stores, folder, (free, filled), cpu)
        finally:
            postgresql.stop()
            node.stop()


def contenders(stage: Stage, provider: str) -> list[Contender]:
    """List the contenders."""
    where = {"amqp": stage.amqp, "provider": provider}
    return [
        celery("prefork 2", "-P", "prefork", "-c", "2", **where),
        celery("prefork 4", "-P", "prefork", "-c", "4", **where),
        celery("threads 20", "-P", "threads", "-c", "20", **where),
        bare(**where),
        *(notify(name, config=stage.config(name, provider)) for name in stage.stores),
        notify(ONE_WORKER, config=stage.config("PostgreSQL", provider), workers=1),
    ]


ONE_WORKER = "PostgreSQL, 1 worker"
SINGLE_FOR_BULK = 125
"""Emails of the backlog for each bulk message: with a fifth of these, starts and ends counted."""
LONE = ("celery prefork 2", "celery threads 20", "notify PostgreSQL", "notify SQLite")


def throughput(stage: Stage, *, messages: int, rounds: int) -> dict[str, Run]:
    """Measure each contender on the backlog in turn, several times; return the medians."""
    before = recorded(stage)
    with _accepting(stage) as (provider, cpu):
        bench = Bench(stage.amqp, provider, stage.folder, cpu)
        runs = {
            each.name: partial(bench.run, each, messages=messages)
            for each in contenders(stage, provider.url)
        }
        found = _medians(runs, rounds=rounds)
    wanted = {"PostgreSQL": 2 * rounds * messages, "SQLite": rounds * messages}
    if {name: count - before[name] for name, count in recorded(stage).items()} != wanted:
        raise RuntimeError("the record does not hold every message as sent")
    return found


def bulk_runs(stage: Stage, *, messages: int, rounds: int) -> dict[str, Run]:
    """Measure messages to 1,000 recipients, with the same and with own words; return medians."""
    kinds = {"the same words": bulk.identical, "own words": bulk.own_words}
    with _accepting(stage) as (provider, cpu):
        run = partial(
            bulk.BulkBench(stage.amqp, provider, stage.folder, cpu).run,
            config=stage.config("PostgreSQL", provider.url),
            store_url=stage.stores["PostgreSQL"],
            messages=messages,
        )
        return _medians({name: partial(run, build) for name, build in kinds.items()}, rounds=rounds)


@contextmanager
def _accepting(stage: Stage) -> Iterator[tuple[Nginx, CpuWatch]]:
    """Run a provider that accepts everything; also return the watch of it and of the services."""
    provider = Nginx(stage.folder)
    try:
        yield provider, CpuWatch({**stage.cpu.roles, "nginx": [provider.pid]})
    finally:
        provider.stop()


def _medians(runs: Mapping[str, Callable[[], Run]], *, rounds: int) -> dict[str, Run]:
    """Make all runs in turn, several times; return the medians of each."""
    found: dict[str, list[Run]] = {name: [] for name in runs}
    for number in range(rounds):
        for name, make in runs.items():
            run = make()
            found[name].append(run)
            used = sum(run.cpu.values())
            print(
                f"round {number + 1}  {name:28} {run.rate:7.0f}/s  {used:6.3f} CPU ms", flush=True
            )
    return {name: middle(each) for name, each in found.items()}


def recorded(stage: Stage) -> dict[str, int]:
    """Count the notifications on record in each store."""
    return {
        name: sum(Store.open(url).count(Filter()).values()) for name, url in stage.stores.items()
    }


def latencies(stage: Stage) -> dict[str, tuple[float, float]]:
    """Measure single messages through the best plain Celery and through both stores."""
    with latency.Watch() as watch:
        wanted = [one for one in contenders(stage, watch.url) if one.name in LONE]
        return {
            one.name: latency.measure(one, amqp=stage.amqp, watch=watch, folder=stage.folder)
            for one in wanted
        }


def fleets(stage: Stage) -> list[fleet.IdleFleet]:
    """Measure one and twenty idle workers."""
    config = stage.config("PostgreSQL", "http://127.0.0.1:9")
    return [
        fleet.measure(
            workers,
            config=config,
            store_url=stage.stores["PostgreSQL"],
            folder=stage.folder,
            cpu=stage.cpu,
        )
        for workers in (1, 20)
    ]


def idle_rss(stage: Stage) -> float:
    """Start a worker on empty queues and return its resident memory in MB."""
    ready = stage.folder / "idle.ready"
    config = stage.config("PostgreSQL", "http://127.0.0.1:9")
    worker = notify("idle", config=config)
    command = [*worker.commands[0], "--ready-file", str(ready)]
    log = stage.folder / "idle.log"
    with processes([command], environ=worker.environ, log=log) as (process,):
        wait_until(ready.exists, what="the idle worker")
        size: int = psutil.Process(process.pid).memory_info().rss
        return size / 1_000_000


def receipt_rates(stage: Stage) -> list[receipts.ReceiptRates]:
    """Measure receipts, one and a hundred in a request."""
    config = stage.config("PostgreSQL", "http://127.0.0.1:9")
    return [
        receipts.compare(config, stage.stores["PostgreSQL"], events=events, batch=batch)
        for events, batch in ((3_000, 1), (20_000, 100))
    ]


def main() -> None:
    """Run all and print the tables, and the ratios on the last line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--messages", type=int, default=10_000, help="of each backlog")
    parser.add_argument("--rounds", type=int, default=3, help="of which the median counts")
    asked = parser.parse_args()
    print(f"Python {platform.python_version()}, {psutil.cpu_count()} cores, {platform.system()}")
    with staged() as stage:
        results = Results(
            messages=asked.messages,
            rounds=asked.rounds,
            publish=publishing.compare(stage.amqp, rounds=asked.rounds),
            rss=idle_rss(stage),
            lone=latencies(stage),
            runs=throughput(stage, messages=asked.messages, rounds=asked.rounds),
            bulk=bulk_runs(
                stage, messages=max(1, asked.messages // SINGLE_FOR_BULK), rounds=asked.rounds
            ),
            fleets=fleets(stage),
            receipts=receipt_rates(stage),
            api=api.compare(
                stage.amqp,
                stage.config("PostgreSQL", "http://127.0.0.1:9"),
                stage.stores["PostgreSQL"],
                singles=3_000,
                many=20_000,
            ),
            suppression=suppression.compare(
                stage.amqp,
                stage.folder,
                stage.pair,
                stage.config_of,
                messages=asked.messages,
                rounds=asked.rounds,
            ),
            providers=providers.costs(),
        )
    results.print()


if __name__ == "__main__":
    main()
