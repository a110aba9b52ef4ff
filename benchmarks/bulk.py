"""Messages to 1,000 recipients: recipients a second, beside Celery's one task for each."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import amqp

from benchmarks import load
from benchmarks.cpu import CpuWatch
from benchmarks.stage import Nginx, processes, wait_until
from benchmarks.throughput import WARM, Moment, Run, notify
from notify.message import Channel, Status
from notify.store import Store
from notify.store.totals import CountFilter, count_groups
from notify.topology import EXCHANGE, routing_key

RECIPIENTS = 1_000
"""Recipients of a message: the most that one request to SendGrid may have."""
KEY = routing_key(Channel.EMAIL, "bulk", "bench")


@dataclass(frozen=True, slots=True)
class BulkBench:
    """A delivery of bulk messages to a provider that accepts everything."""

    url: str
    provider: Nginx
    folder: Path
    cpu: CpuWatch

    def run(
        self, build: Callable[[int], amqp.Message], *, config: Path, store_url: str, messages: int
    ) -> Run:
        """Publish bulk messages, let two workers deliver them, and return recipients a second."""
        store = Store.open(store_url)
        load.backlog(self.url, messages, build=build, route=(EXCHANGE, KEY))
        before, recipients = _sent(store), messages * RECIPIENTS
        contender = notify("bulk", config=config)
        log = self.folder / "notify-bulk.log"
        with processes(contender.commands, environ=contender.environ, log=log) as workers:
            watch = self.cpu.of([worker.pid for worker in workers])
            first = self._reach(store, before + int(recipients * WARM), watch)
            last = self._reach(store, before + recipients, watch)
            time.sleep(0.5)
        store.close()
        return Run.between(first, last, messages=recipients * (1 - WARM))

    def _reach(self, store: Store, wanted: int, watch: CpuWatch) -> Moment:
        wait_until(lambda: _sent(store) >= wanted, what="the bulk delivery", timeout=300, pause=0.2)
        return Moment(time.perf_counter(), watch.read())


def identical(number: int) -> amqp.Message:
    """Return a message whose recipients all get the same words."""
    fields = {"subject": f"News {number}", "text": load.TEXT, "html": f"<p>{load.TEXT}</p>"}
    return _message([f"reader{number}.{each}@example.com" for each in range(RECIPIENTS)], fields)


def own_words(number: int) -> amqp.Message:
    """Return a message from a template with data of each recipient's own."""
    to = [
        {"to": f"reader{number}.{each}@example.com", "data": {"name": f"Reader {each}"}}
        for each in range(RECIPIENTS)
    ]
    data = {"product": "Parcel Post", "start_url": "https://shop.example.com/start"}
    return _message(to, {"template": "welcome", "locale": "en", "data": data})


def _message(to: list[Any], fields: dict[str, Any]) -> amqp.Message:
    return amqp.Message(
        json.dumps({"id": str(uuid4()), "to": to, **fields}),
        content_type="application/json",
        content_encoding="utf-8",
        delivery_mode=2,
    )


def _sent(store: Store) -> int:
    # By the kept totals: reading the open rows as well was a third of PostgreSQL's time.
    with store.reading() as connection:
        return sum(each.count for each in count_groups(connection, CountFilter(status=Status.SENT)))
