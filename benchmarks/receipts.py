"""Receipts a second, from a vendor's POST to the status on record, beside a bare endpoint."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import urllib3
from sqlalchemy import func, select

from benchmarks.stage import free_port, processes, wait_until
from benchmarks.throughput import PYTHON
from notify.message import Outcome, Status
from notify.receipt import Posted
from notify.store import Entry, Record, Store
from notify.store.delivery import LEASE
from notify.store.tables import receipts
from tests.support.recording import asked, call_for
from tests.support.signing import SendGridSigner

POSTERS = 32
"""Connections on which a vendor posts."""
EVENTS_CONFIG = """
[receipts]
public_url = "http://127.0.0.1:{port}"
port = {port}
[metrics]
enabled = false
[providers.sendgrid.receipts]
use = "providers.sendgrid:SendGridReceipts"
options = {{ keys = ["{key}"] }}
"""


@dataclass(frozen=True, slots=True)
class ReceiptRates:
    """Events a second with one number of events in a request."""

    batch: int
    bare: float
    notify: float

    @property
    def ratio(self) -> float:
        """The part of the bare endpoint's rate."""
        return self.notify / self.bare


def compare(config: Path, store_url: str, *, events: int, batch: int) -> ReceiptRates:
    """
    Measure both contenders on the same requests.

    Args:
        config: The service's configuration, with SendGrid as a provider.
        events: How many; each delivers one notification on record.
        batch: Events in a request.
    """
    signer = SendGridSigner()
    store = Store.open(store_url)
    made = [event_of(*each) for each in sent(store, events)]
    requests = [signer.posted(made[at : at + batch]) for at in range(0, events, batch)]
    bare_port, port = free_port(), free_port()
    log = config.with_suffix(".log")
    bare = [PYTHON, "-m", "benchmarks.bare_receipts", str(bare_port), signer.public_key]
    with processes([bare], environ={}, log=log):
        took = post(f"http://127.0.0.1:{bare_port}/receipts/sendgrid", requests)
    own = config.with_name(f"receipts-{batch}.toml")
    own.write_text(config.read_text() + EVENTS_CONFIG.format(port=port, key=signer.public_key))
    with _running(own, config.parent, log=log):
        before = applied(store)
        began = time.perf_counter()
        post(f"http://127.0.0.1:{port}/receipts/sendgrid", requests)
        wait_until(lambda: applied(store) >= before + events, what="the receipts", timeout=600)
        ours = time.perf_counter() - began
    store.close()
    return ReceiptRates(batch, events / took, events / ours)


@contextmanager
def _running(config: Path, folder: Path, *, log: Path) -> Iterator[None]:
    ready = [folder / "web.ready", folder / "receipts.ready"]
    for each in ready:
        each.unlink(missing_ok=True)
    notify = [PYTHON, "-m", "notify"]
    commands = [
        [*notify, "web", "receipts", "--ready-file", str(ready[0])],
        [*notify, "worker", "receipts", "--ready-file", str(ready[1])],
    ]
    environ = {"NOTIFY_CONFIG": str(config), "BENCH_KEY": "SG.bench"}
    with processes(commands, environ=environ, log=log):
        wait_until(lambda: all(each.exists() for each in ready), what="the receipts' processes")
        yield


def post(url: str, requests: Sequence[Posted]) -> float:
    """Post all requests over a few connections; return the seconds that it took."""
    http = urllib3.PoolManager(maxsize=POSTERS)
    wait_until(lambda: _listens(url), what=url)
    following: Callable[[], Posted | None] = _one_by_one(requests)
    began = time.perf_counter()

    def one_thread() -> None:
        while (request := following()) is not None:
            answer = http.request("POST", url, body=request.body, headers=request.headers)
            if not 200 <= answer.status < 300:
                raise RuntimeError(f"{url} answered {answer.status}")

    with ThreadPoolExecutor(POSTERS) as pool:
        for posted in [pool.submit(one_thread) for _ in range(POSTERS)]:
            posted.result()
    return time.perf_counter() - began


def _one_by_one(
    requests: Sequence[Posted],
) -> Callable[[], Posted | None]:
    left, lock = itertools.chain(requests, itertools.repeat(None)), threading.Lock()

    def following() -> Posted | None:
        with lock:
            return next(left)

    return following


def _listens(url: str) -> bool:
    try:
        urllib3.request("GET", url, retries=False, timeout=1)
    except urllib3.exceptions.HTTPError:
        return False
    return True


def applied(store: Store) -> int:
    """Count the receipts that are applied."""
    with store.reading() as connection:
        query = select(func.count()).where(receipts.c.applied_at.is_not(None))
        return connection.scalar(query) or 0


def sent(store: Store, count: int) -> list[tuple[UUID, UUID]]:
    """Record notifications as sent; return their ids with their calls'."""
    store.migrate()
    found = []
    now = datetime.now(UTC)
    for first in range(0, count, 500):
        entries = [_entry() for _ in range(min(500, count - first))]
        store.claim(entries, now=now, lease=LEASE)
        results = []
        for entry in entries:
            assert entry.attempt_id is not None
            id_ = entry.notification.id
            results.append(Record(id_, entry.attempt_id, now, Outcome.ACCEPTED, Status.SENT))
            found.append((id_, entry.attempt_id))
        store.record(results)
    return found


def _entry() -> Entry:
    id_ = uuid4()
    to = f"{id_.hex[:12]}@example.com"
    return call_for(asked(id=id_, lane="normal", to=to, digest=id_.bytes * 2, template=None))


def event_of(notification_id: UUID, attempt_id: UUID) -> dict[str, object]:
    """Return one delivered event of SendGrid."""
    return {
        "email": f"{notification_id.hex[:12]}@example.com",
        "timestamp": int(time.time()),
        "event": "delivered",
        "response": "250 OK",
        "sg_event_id": uuid4().hex,
        "sg_message_id": f"{attempt_id.hex}.recvd-canary-1-0",
        "smtp-id": f"<{attempt_id.hex}@ismtpd>",
        "notify_id": str(notification_id),
        "attempt_id": str(attempt_id),
    }
