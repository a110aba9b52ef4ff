"""The cost of a relay beside many scheduled rows, none of them due.

Run it with `python -m benchmarks.relay`; it starts its own PostgreSQL and connects to no broker,
since nothing becomes due.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import psutil

from benchmarks.load import request
from notify.message import Channel, Notification, Status
from notify.periodic import PeriodicThread
from notify.publisher import Publisher
from notify.relays import DueRows, Relay
from notify.store import Entry, Store
from tests.support.services import PostgreSQL

AT_ONCE = 1000
NOBODY_LISTENS = "pyamqp://guest:guest@127.0.0.1:1//"


@contextmanager
def databases() -> Iterator[dict[str, tuple[str, Callable[[], float]]]]:
    """Yield each kind of database: its address, and a function for its server's CPU seconds."""
    server = PostgreSQL()
    with tempfile.TemporaryDirectory(prefix="notify-relay-") as folder:
        server.start()
        try:
            with server.database() as url:
                yield {
                    "postgresql": (url, lambda: _seconds_of_server(url)),
                    "sqlite": (f"sqlite:///{Path(folder)}/notify.db", lambda: 0.0),
                }
        finally:
            server.stop()


def _seconds_of_server(url: str) -> float:
    """Sum the CPU seconds of the processes of the server at *url*, by its port."""
    port = url.rpartition(":")[2].partition("/")[0]
    for process in psutil.process_iter(["name", "cmdline"]):
        if process.info["name"] == "postgres" and port in (process.info["cmdline"] or ()):
            family = [process, *process.children(recursive=True)]
            return sum(sum(each.cpu_times()[:2]) for each in family)
    raise RuntimeError("the database server is gone")


def fill(store: Store, rows: int) -> None:
    """Record this many notifications that are scheduled for tomorrow, spread over a day."""
    now = datetime.now(UTC)
    for first in range(0, rows, AT_ONCE):
        entries = [
            Entry(
                _asked(), Status.SCHEDULED, due_at=now + timedelta(days=1, seconds=number % 86_400)
            )
            for number in range(first, min(first + AT_ONCE, rows))
        ]
        store.claim(entries, now=now, lease=timedelta(minutes=1))


def _asked() -> Notification:
    id_ = uuid4()
    return Notification(
        id=id_,
        source="bench",
        channel=Channel.EMAIL,
        lane="normal",
        to="customer@example.com",
        idempotency_key=str(id_),
        digest=id_.bytes * 2,
        body=str(request(0)).encode(),
    )


def share(
    url: str, *, rows: int, seconds: float, server: Callable[[], float]
) -> tuple[float, float]:
    """Return which part of a core a relay uses, and which its database's server does for it."""
    store = Store.open(url)
    store.migrate()
    fill(store, rows)
    with Publisher(NOBODY_LISTENS) as publisher:
        relay = PeriodicThread("relay", Relay(DueRows(), store, publisher).step, period=0.5)
        relay.start()
        time.sleep(2)
        mine, its = time.process_time(), server()
        time.sleep(seconds)
        mine, its = time.process_time() - mine, server() - its
        relay.stop(timeout=5)
    store.close()
    return mine / seconds, its / seconds


def main() -> None:
    """Measure on each kind of database; the last line sums up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="scheduled rows (100,000)")
    parser.add_argument("--seconds", type=float, default=20.0, help="seconds to measure (20)")
    wanted = parser.parse_args()
    shares = {}
    with databases() as kinds:
        for name, (url, server) in kinds.items():
            mine, its = share(url, rows=wanted.rows, seconds=wanted.seconds, server=server)
            shares[name] = mine
            print(
                f"{name}: {wanted.rows:,} scheduled rows, {wanted.seconds:.0f} s:"
                f" relay {mine:.2%} of a core, database server {its:.2%}"
            )
    print(" ".join(f"relay_{name}={mine:.2%}" for name, mine in shares.items()))


if __name__ == "__main__":
    main()
