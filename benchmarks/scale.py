"""
The cost of a large record: the same statements at 0 and 1,000,000 notifications, and at 5,000,000.

Run it alone with `python -m benchmarks.scale [--rows 0 1000000 5000000] [--messages 40000]`. Each
number is the median of some runs: CPU time of PostgreSQL where a statement is measured, else
milliseconds. Status and ledger are also timed beside a delivery at full speed, with a second
between two reads, and `--status` measures only the status there. A million rows take about 2 GB of
disk.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from statistics import median
from uuid import uuid4

import psutil
from sqlalchemy import text

from benchmarks.flow.measure import p95
from benchmarks.large_record import LargeRecord, large_record, upkeep
from benchmarks.stage import repeated
from benchmarks.throughput import notify
from notify.ledger import build_ledger, count_record
from notify.message import Status, time_id
from notify.store import Entry, Filter, Record, Store
from notify.store.relays import lease_due
from tests.support.recording import accepted, asked, call_for

ROWS = (0, 1_000_000)
BATCH = 64
"""Notifications of one claim, and of one record."""
RUNS = 5
MESSAGES = 40_000
"""Messages of a delivery."""
PAUSE = 1.0
"""Seconds between two reads beside a delivery."""
LEASE = timedelta(seconds=60)


def measure(store: Store) -> dict[str, float]:
    """Return the figures of one record, by what was done."""
    now = store.clock()
    check = _seconds(lambda: build_ledger(store, now=store.clock(), full=True))
    calls: Mapping[str, Callable[[], object]] = {
        "status: all counts": lambda: count_record(store, now=store.clock()),
        "ls --counts": lambda: store.count(Filter()),
        "ls --counts --since 1d": lambda: store.count(Filter(since=timedelta(days=1))),
        "ls --status unknown": lambda: store.find(Filter(status=Status.UNKNOWN)),
        "ls --status expired": lambda: store.find(Filter(status=Status.EXPIRED)),
        "ledger, the day after": lambda: build_ledger(store, now=store.clock()),
    }
    figures = {f"{name} [ms]": 1000 * _median(call) for name, call in calls.items()}
    figures["ledger --full [ms]"] = 1000 * check
    figures |= _hot(store, now)
    return figures


_READS: Mapping[str, Callable[[Store], object]] = {
    "status": lambda store: count_record(store, now=store.clock()),
    "ledger": lambda store: build_ledger(store, now=store.clock()),
}


def beside(record: LargeRecord, reads: Iterable[str], *, messages: int) -> dict[str, float]:
    """Return the times of reads beside deliveries at full speed, and the rates of these."""
    alone = record.bench.run(notify("PostgreSQL", config=record.config), messages=messages)
    figures = {"deliveries a second": alone.rate}
    for name in reads:
        read = partial(_READS[name], record.store)
        times, rate = _timed_beside(record, read, messages=messages)
        figures |= {
            f"{name} beside a delivery, median [ms]": 1000 * median(times),
            f"{name} beside a delivery, 95 % [ms]": 1000 * p95(times),
            f"deliveries a second beside {name}": rate,
        }
    return figures


def _timed_beside(
    record: LargeRecord, read: Callable[[], object], *, messages: int
) -> tuple[list[float], float]:
    """Return the seconds of each read beside a delivery, and the messages a second."""
    times: list[float] = []
    contender = notify("PostgreSQL", config=record.config)
    reading = repeated(lambda: times.append(_seconds(read)), pause=PAUSE)
    with upkeep(record.store), reading:
        rate = record.bench.run(contender, messages=messages).rate
    return times, rate


def _hot(store: Store, now: datetime) -> dict[str, float]:
    """Return microseconds of PostgreSQL's CPU for a row: claim, record, and a relay's look."""
    claims, records, looks = [], [], []
    for _ in range(RUNS * 4):
        entries = [_entry() for _ in range(BATCH)]
        claims.append(_cpu(store, partial(store.claim, entries, now=store.clock(), lease=LEASE)))
        ended = [_sent(entry, now) for entry in entries]
        records.append(_cpu(store, partial(store.record, ended)))
        looks.append(_cpu(store, partial(_look, store, now)))
    return {
        f"claim of {BATCH}, a row [us CPU]": 1e6 * sum(claims) / len(claims) / BATCH,
        f"record of {BATCH}, a row [us CPU]": 1e6 * sum(records) / len(records) / BATCH,
        "relay, nothing due [us CPU]": 1e6 * sum(looks) / len(looks),
    }


def _entry() -> Entry:
    id_ = time_id()
    to, body = f"{id_.hex}@example.com", b"x" * 500
    request = asked(id=id_, lane="normal", to=to, digest=bytes(32), body=body, template=None)
    return call_for(request, attempt_id=time_id())


def _sent(entry: Entry, now: datetime) -> Record:
    return accepted(entry, ended_at=now, provider_id=uuid4().hex, http_status=None)


def _look(store: Store, now: datetime) -> None:
    with store.writing() as connection:
        waiting = [Status.SCHEDULED, Status.QUEUED]
        lease_due(connection, waiting, now=now, lease=LEASE, limit=100)


def _cpu(store: Store, call: Callable[[], object]) -> float:
    """Return the CPU time of the server's sessions during a call."""
    before = _sessions(store)
    call()
    after = _sessions(store)
    return sum(seconds - before.get(pid, 0.0) for pid, seconds in after.items())


def _sessions(store: Store) -> dict[int, float]:
    with store.reading() as connection:
        query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
        pids: list[int] = list(connection.execute(text(query)).scalars())
    times = {pid: psutil.Process(pid).cpu_times() for pid in pids if psutil.pid_exists(pid)}
    return {pid: each.user + each.system for pid, each in times.items()}


def _median(call: Callable[[], object]) -> float:
    return median(_seconds(call) for _ in range(RUNS))


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def table(figures: Mapping[int, Mapping[str, float]]) -> str:
    """Return the figures as a table in Markdown, a column for each size."""
    sizes = list(figures)
    lines = [
        "| notifications on record | " + " | ".join(f"{rows:,}" for rows in sizes) + " |",
        "|---|" + "--:|" * len(sizes),
    ]
    for name in figures[sizes[0]]:
        values = (f"{figures[rows][name]:,.1f}" for rows in sizes)
        lines.append(f"| {name} | " + " | ".join(values) + " |")
    return "\n".join(lines)


def run(sizes: Sequence[int], *, messages: int, status: bool = False) -> str:
    """Measure records of these sizes, one after another; with *status*, only that."""
    figures = {}
    for rows in sizes:
        began = time.perf_counter()
        with large_record(rows) as record:
            print(f"{rows:,} rows filled in {time.perf_counter() - began:,.0f} s", file=sys.stderr)
            quiet = {} if status else measure(record.store)
            reads = ["status"] if status else list(_READS)
            figures[rows] = quiet | beside(record, reads, messages=messages)
            print(table({rows: figures[rows]}), file=sys.stderr)
    return table(figures)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=list(ROWS))
    parser.add_argument("--messages", type=int, default=MESSAGES)
    parser.add_argument("--status", action="store_true", help="only the status beside a delivery")
    given = parser.parse_args()
    print(run(given.rows, messages=given.messages, status=given.status))


if __name__ == "__main__":
    main()
