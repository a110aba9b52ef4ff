"""
The cost of a large record: the same statements at 0 and 1,000,000 notifications, and at 5,000,000.

Run it alone with `python -m benchmarks.scale [--rows 0 1000000 5000000]`. Each number is the median
of some runs: CPU time of PostgreSQL where a statement is measured, else seconds. A million rows
take about 2 GB of disk.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from statistics import median
from uuid import uuid4

import psutil
from sqlalchemy import text

from notify.ledger import build_ledger, count_record
from notify.message import Status, time_id
from notify.store import Entry, Filter, Record, Store
from notify.store.relays import lease_due
from tests.support.recording import accepted, asked, call_for
from tests.support.services import PostgreSQL

ROWS = (0, 1_000_000)
BATCH = 64
"""Notifications of one claim, and of one record."""
RUNS = 5
LEASE = timedelta(seconds=60)
_PART = 250_000

# Rows of 90 days: sent, one of 100 rejected, one of 10,000 of an unknown outcome.
_ROWS = """
CREATE TEMPORARY TABLE new ON COMMIT DROP AS
SELECT n, CAST(md5('id' || n) AS uuid) AS id,
    CAST(:now AS timestamptz) - interval '3 hours'
        - interval '90 days' * ((:rows - n) / CAST(:rows AS float)) AS at,
    CASE WHEN n % 10000 = 0 THEN 'unknown' WHEN n % 100 = 0 THEN 'rejected' ELSE 'sent' END
        AS status
FROM generate_series(CAST(:first AS int), CAST(:last AS int)) AS n
"""
_FILL = (
    """
INSERT INTO notifications (
    id, position, source, channel, lane, idempotency_key, digest, recipient, recipient_hash, body,
    status, attempts, spent, possible_duplicate, unsettled, fence, received_at, updated_at
)
SELECT id, 0, 'shop', 'email', 'normal', CAST(n AS text), decode(repeat('00', 32), 'hex'),
    'r' || n || '@example.com', decode(md5('r' || n), 'hex'), decode(repeat('78', 500), 'hex'),
    status, 1, 1, false, CASE WHEN status = 'unknown' THEN true END, 1, at, at
FROM new
""",
    """
INSERT INTO attempts (id, notification_id, number, provider, started_at, ended_at, outcome)
SELECT CAST(md5('call' || n) AS uuid), id, 1, 'sendgrid', at, at,
    CASE status WHEN 'sent' THEN 'accepted' WHEN 'rejected' THEN 'not_sent' ELSE status END
FROM new
""",
    """
INSERT INTO events (notification_id, at, status, to_publish)
SELECT id, at, status, false FROM new ORDER BY n
""",
    """
INSERT INTO total_changes (hour, channel, lane, status, change)
SELECT floor(date_part('epoch', at) / 3600), 'email', 'normal', status, count(*)
FROM new WHERE status <> 'unknown' GROUP BY 1, 4
""",
)


@contextmanager
def filled(server: PostgreSQL, rows: int) -> Iterator[Store]:
    """Return a record with so many notifications, analysed and vacuumed."""
    with server.database() as url:
        store = Store.open(url)
        store.migrate()
        fill(store, rows)
        yield store
        store.close()


def fill(store: Store, rows: int) -> None:
    """Add settled notifications of the last 90 days, each with its call, event and total."""
    now = store.clock()
    for first in range(1, rows + 1, _PART):
        values = {"first": first, "last": min(first + _PART - 1, rows), "rows": rows, "now": now}
        with store.writing() as connection:
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text(_ROWS), values)
            for statement in _FILL:
                connection.execute(text(statement))
    with store._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SET statement_timeout = 0"))
        connection.execute(text("VACUUM ANALYZE"))
        connection.execute(text("RESET statement_timeout"))


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


def run(server: PostgreSQL, sizes: Sequence[int] = ROWS) -> str:
    """Measure records of these sizes, one after another."""
    figures = {}
    for rows in sizes:
        began = time.perf_counter()
        with filled(server, rows) as store:
            print(f"{rows:,} rows filled in {time.perf_counter() - began:,.0f} s", file=sys.stderr)
            figures[rows] = measure(store)
    return table(figures)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=list(ROWS))
    sizes: list[int] = parser.parse_args().rows
    server = PostgreSQL()
    try:
        server.start()
        print(run(server, sizes))
    finally:
        server.stop()


if __name__ == "__main__":
    main()
