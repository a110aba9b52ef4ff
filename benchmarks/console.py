"""
The console beside a large record: each page's time, and the cost for a delivery at full speed.

Run it alone with `python -m benchmarks.console [--rows 2000000] [--messages 60000] [--rounds 5]`,
and `--pages notifications` for those pages alone whose path contains it: more reads of each.
Each round delivers one backlog without a viewer, and one beside a viewer who reads a page each
second: as many as five viewers who refresh each 5 s. Pages are also timed on the idle stack.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import httpx
from sqlalchemy import text

from benchmarks.flow.measure import p95
from benchmarks.large_record import LargeRecord, large_record, upkeep
from benchmarks.stage import free_port, processes, repeated, wait_until
from benchmarks.throughput import PYTHON, notify
from notify.people import Passwords, Role, add_account
from notify.store import Actor, Store

ROWS = 2_000_000
MESSAGES = 60_000
ROUNDS = 5
IDLE_READS = 20
"""Reads of each page on the idle stack."""
PAUSE = 1.0
"""Seconds between two pages beside a delivery."""
PASSWORD = "benchmark password"  # noqa: S105 - of a record that is deleted at the end
CONSOLE = """
[console]
port = {port}
"""
SEARCHES = (
    "",
    "source:shop",
    # Without a match: the whole bound is examined.
    "source:none",
    "status:rejected",
    "status:unknown",
    "template:none lane:normal",
    "provider:sendgrid",
    "code:none",
)


def pages(store: Store) -> list[str]:
    """Return the paths of all pages, with a story and searches."""
    query = text("SELECT id FROM notifications ORDER BY received_at DESC LIMIT 1")
    with store.reading() as connection:
        story: object = connection.execute(query).scalar_one()
    plain = (
        *("/", "/unknown", "/dead-letters", "/batches", "/sources", "/holds", "/providers"),
        *("/providers/sendgrid", "/limits", "/suppressions", "/templates", "/templates/invoice"),
        *("/workers", "/ledger", "/doctor", "/audit", "/events"),
    )
    searches = [f"/notifications?q={search.replace(' ', '+')}" for search in SEARCHES]
    return [*plain, f"/notifications/{story}", *searches]


class ConsoleViewer:
    """Reads pages in turn and notes how long each took."""

    def __init__(self, url: str, paths: Sequence[str]) -> None:
        headers = {"Sec-Fetch-Site": "same-origin"}
        self._client = httpx.Client(base_url=url, headers=headers, timeout=30)
        form = {"name": "viewer", "password": PASSWORD}
        if self._client.post("/sign-in", data=form).status_code != 303:
            raise RuntimeError("the viewer cannot sign in")
        self._paths = itertools.cycle(paths)
        self.times: defaultdict[str, list[float]] = defaultdict(list)

    def read(self) -> None:
        """Read the next page."""
        path = next(self._paths)
        began = time.perf_counter()
        answer = self._client.get(path)
        self.times[path].append(time.perf_counter() - began)
        if answer.status_code != 200:
            raise RuntimeError(f"{path}: {answer.status_code}")


@contextmanager
def staged(rows: int) -> Iterator[tuple[LargeRecord, str]]:
    """Fill the record, and start the services and the console; return the console's address."""
    port = free_port()
    with large_record(rows, more=CONSOLE.format(port=port)) as record:
        actor = Actor("benchmark", "benchmark")
        add_account(
            record.store,
            "viewer",
            role=Role.VIEWER,
            password=PASSWORD,
            actor=actor,
            passwords=Passwords(),
        )
        with _console(record.config, port, record.folder) as address:
            yield record, address


@contextmanager
def _console(config: Path, port: int, folder: Path) -> Iterator[str]:
    url = f"http://127.0.0.1:{port}"
    environ = {"NOTIFY_CONFIG": str(config), "BENCH_KEY": "bench-key"}
    command = [PYTHON, "-m", "notify", "web", "console"]
    with processes([command], environ=environ, log=folder / "console.log"):
        wait_until(lambda: _answers(url), what="console", timeout=30)
        yield url


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/sign-in").status_code == 200
    except httpx.TransportError:
        return False


def table(idle: Mapping[str, list[float]], beside: Mapping[str, list[float]]) -> str:
    """Return each page's times as a table in Markdown, in milliseconds."""
    lines = [
        "| page | idle: median | p95 | beside a delivery: median | p95 | reads |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for path, times in idle.items():
        busy = beside.get(path, [])
        cells = [median(times), p95(times), median(busy or [0.0]), p95(busy)]
        numbers = " | ".join(f"{1000 * each:,.0f}" for each in cells)
        lines.append(f"| `{path[:60]}` | {numbers} | {len(times)} + {len(busy)} |")
    return "\n".join(lines)


def run(*, rows: int, messages: int, rounds: int, some: str) -> str:
    """Measure, and return the table and the cost for the delivery."""
    with staged(rows) as (record, url):
        paths = [path for path in pages(record.store) if some in path]
        return measure(record, url, paths, messages=messages, rounds=rounds)


def measure(
    record: LargeRecord, url: str, paths: Sequence[str], *, messages: int, rounds: int
) -> str:
    """Read these pages of a console on the idle stack and beside deliveries."""
    idle, beside = ConsoleViewer(url, paths), ConsoleViewer(url, paths)
    for _ in range(IDLE_READS * len(paths)):
        idle.read()
    contender = notify("PostgreSQL", config=record.config)
    rates: dict[str, list[float]] = {"alone": [], "beside a viewer": []}
    with upkeep(record.store):
        for number in range(rounds):
            # In turns, so that neither always comes first.
            for kind in sorted(rates, reverse=bool(number % 2)):
                if kind == "alone":
                    rate = record.bench.run(contender, messages=messages).rate
                else:
                    with repeated(beside.read, pause=PAUSE):
                        rate = record.bench.run(contender, messages=messages).rate
                rates[kind].append(rate)
                print(f"round {number + 1}  {kind:16} {rate:7.0f}/s", flush=True)
    alone, viewed = (median(rates[kind]) for kind in ("alone", "beside a viewer"))
    lost = f"{alone:,.0f}/s alone, {viewed:,.0f}/s beside a viewer: {1 - viewed / alone:+.1%} lost"
    return f"{table(idle.times, beside.times)}\n\n{lost}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--messages", type=int, default=MESSAGES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--pages", default="/", help="only those whose path contains this")
    given = parser.parse_args()
    print(run(rows=given.rows, messages=given.messages, rounds=given.rounds, some=given.pages))


if __name__ == "__main__":
    main()
