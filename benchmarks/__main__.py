"""`make bench`: notify beside plain Celery and the bare broker, in one run on one machine."""

from __future__ import annotations

import argparse
import platform
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil

from benchmarks import latency, plain_queue, publishing, receipts, suppression
from benchmarks.stage import Nginx, processes, wait_until
from benchmarks.throughput import Bench, Contender, bare, celery, notify
from notify.publisher import connect
from notify.service import topology_of
from notify.settings import Settings
from notify.stack.rabbitmq import RabbitMQNode
from notify.store import Filter, Store
from notify.topology import apply
from tests.support.services import PostgreSQL

CONFIG = """
[amqp]
url = "{amqp}"
[store]
url = "{store}"
[pools.email]
channel = "email"
[channels.email]
providers = ["sendgrid"]
[providers.sendgrid]
use = "providers.sendgrid:SendGrid"
options = {{ sender = "no-reply@example.com", base_url = "{provider}" }}
secrets = {{ api_key = "BENCH_KEY" }}
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """The broker, the databases and the folder of one run."""

    amqp: str
    stores: Mapping[str, str]
    folder: Path
    pair: tuple[str, str]
    """Two more databases of PostgreSQL, for the cost of the suppression list."""

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
                yield Stage(node.url, stores, folder, (free, filled))
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
    ]


def throughput(stage: Stage, *, messages: int, rounds: int) -> dict[str, float]:
    """Measure each contender on the backlog in turn, several times; return the medians."""
    provider = Nginx(stage.folder)
    bench = Bench(stage.amqp, provider, stage.folder)
    rates: dict[str, list[float]] = {}
    before = recorded(stage)
    try:
        for number in range(rounds):
            for contender in contenders(stage, provider.url):
                rate = bench.run(contender, messages=messages)
                rates.setdefault(contender.name, []).append(rate)
                print(f"round {number + 1}  {contender.name:20} {rate:7.0f}/s", flush=True)
    finally:
        provider.stop()
    wanted = dict.fromkeys(stage.stores, rounds * messages)
    if {name: count - before[name] for name, count in recorded(stage).items()} != wanted:
        raise RuntimeError("the record does not hold every message as sent")
    return {name: median(found) for name, found in rates.items()}


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


LONE = ("celery prefork 2", "celery threads 20", "notify PostgreSQL", "notify SQLite")


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


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] + ["--:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    """Run all and print the tables, and the ratios on the last line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--messages", type=int, default=10_000, help="of each backlog")
    parser.add_argument("--rounds", type=int, default=3, help="of which the median counts")
    asked = parser.parse_args()
    print(f"Python {platform.python_version()}, {psutil.cpu_count()} cores, {platform.system()}")
    with staged() as stage:
        publish = publishing.compare(stage.amqp, rounds=asked.rounds)
        rss = idle_rss(stage)
        lone = latencies(stage)
        rates = throughput(stage, messages=asked.messages, rounds=asked.rounds)
        reported = receipt_rates(stage)
        cost = suppression.compare(
            stage.amqp,
            stage.folder,
            stage.pair,
            stage.config_of,
            messages=asked.messages,
            rounds=asked.rounds,
        )
    plain = max(rate for name, rate in rates.items() if name.startswith("celery"))
    print(f"\nBacklog of {asked.messages:,} emails, median of {asked.rounds}:\n")
    rows = [[name, f"{rate:,.0f}", f"{rate / plain:.2f}"] for name, rate in rates.items()]
    print(table(["contender", "a second", "ratio to the best plain Celery"], rows))
    print(f"\nA lone message on an idle stack, publish to provider, {latency.MESSAGES} of them:\n")
    rows = [[name, f"{p50 * 1e3:.1f}", f"{p99 * 1e3:.1f}"] for name, (p50, p99) in lone.items()]
    print(table(["contender", "p50 ms", "p99 ms"], rows))
    print("\nPublishing to the same quorum queue, confirmed:\n")
    rows = [["one by one", f"{publish[0]:,.0f}"], ["notify.publisher", f"{publish[1]:,.0f}"]]
    print(table(["publisher", "a second"], rows))
    print("\nA vendor's events, from its POST to the status on record (PostgreSQL):\n")
    rows = [
        [str(each.batch), f"{each.bare:,.0f}", f"{each.notify:,.0f}", f"{_part(each):.2f}"]
        for each in reported
    ]
    print(table(["events a request", "bare endpoint a second", "notify a second", "ratio"], rows))
    print(f"\nThe suppression list with {suppression.ENTRIES:,} entries (PostgreSQL):\n")
    rows = [
        ["without the check", f"{cost.without:,.0f}", f"{cost.claim_without * 1e3:.2f}"],
        ["with it", f"{cost.checked:,.0f}", f"{cost.claim_checked * 1e3:.2f}"],
    ]
    print(table(["deliveries", "a second", f"ms for a claim of {suppression.BATCH}"], rows))
    ours = rates["notify PostgreSQL"]
    print(
        f"\nnotify/celery={ours / plain:.2f} publisher/sync={publish[1] / publish[0]:.1f}"
        f" rss_mb={rss:.0f} receipts/bare={_part(reported[0]):.2f}"
        f" receipts_s={reported[-1].notify:.0f} suppression={cost.ratio:.3f}"
    )


def receipt_rates(stage: Stage) -> list[receipts.ReceiptRates]:
    """Measure receipts, one and a hundred in a request."""
    config = stage.config("PostgreSQL", "http://127.0.0.1:9")
    return [
        receipts.compare(config, stage.stores["PostgreSQL"], events=events, batch=batch)
        for events, batch in ((3_000, 1), (20_000, 100))
    ]


def _part(rates: receipts.ReceiptRates) -> float:
    return rates.notify / rates.bare


if __name__ == "__main__":
    main()
