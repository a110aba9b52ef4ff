"""One drill of the receipts' path: post events, break a part, and compare the record."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self
from uuid import UUID, uuid4

from sqlalchemy import func, select

from notify.errors import ConfigError, StoreError
from notify.message import Outcome, Status
from notify.stack.rabbitmq import free_ports
from notify.store import Entry, Record, Store
from notify.store.tables import events, notifications, receipt_inbox, receipts, reputation
from notify.topology import FEEDBACK, RECEIPTS
from tests.faults.fleet import Fleet, WorkerEnded
from tests.faults.receipts.vendor import Vendor, VendorEvent
from tests.faults.stage import Services, in_queues, queues, until
from tests.faults.terms import Terms
from tests.support.recording import LEASE, asked

MESSAGES = 2000
RATE = 20.0
"""Requests a second, of 10 events each: the events last for 20 seconds and more."""
WORKERS = ("web-1", "receipts-1")
UNDER_WAY = 2.0
"""Seconds of posts before the fault."""
AT_REST_WITHIN = 180.0
CONFIG = """
[receipts]
public_url = "http://127.0.0.1:{port}"
port = {port}
[metrics]
enabled = false
[providers.sendgrid.receipts]
use = "providers.sendgrid:SendGridReceipts"
options = {{ keys = ["{key}"] }}
"""


@dataclass(slots=True)
class ReceiptStage:
    """One drill's environment while it runs."""

    services: Services
    fleet: Fleet
    store: Store


@dataclass(frozen=True, slots=True)
class ReceiptDrill:
    """One fault of the receipts' path."""

    name: str
    fault: Callable[[ReceiptStage], None]


@dataclass(frozen=True, slots=True)
class ReceiptResult:
    """
    The result of a drill.

    Attributes:
        taken: Receipts that were answered with 2xx, each different.
        lost: Of these, how many the record lacks.
        twice: How many counted more than once.
        wrong: Notifications with another status than their receipts say.
        refused: Requests that the vendor had to repeat.
    """

    drill: ReceiptDrill
    taken: int
    lost: int
    twice: int
    wrong: int
    refused: int
    took: float
    obstacle: str = ""

    @classmethod
    def not_played(cls, drill: ReceiptDrill, obstacle: str, *, took: float) -> Self:
        """Return the result of a drill that could not be played."""
        return cls(drill, 0, 0, 0, 0, 0, took, obstacle)

    @property
    def good(self) -> bool:
        """Whether the drill was played and no promise was broken."""
        return not (self.obstacle or self.lost or self.twice or self.wrong) and self.taken > 0


def run_receipts(drill: ReceiptDrill, services: Services, folder: Path) -> ReceiptResult:
    """
    Play one drill on running services.

    Raises:
        Exception: One of `OBSTACLES`: the drill could not be played.
    """
    began = time.monotonic()
    folder.mkdir(parents=True)
    (port,) = free_ports(1)
    vendor = Vendor(f"http://127.0.0.1:{port}/receipts/sendgrid", rate=RATE)
    with _staged(services, folder, port=port, key=vendor.public_key) as stage:
        complete = False
        try:
            complete = _play(drill, stage, vendor)
        except WorkerEnded as error:
            stage.fleet.faulty.append(f"the drill broke off: {error}")
        lost, twice, wrong = _compare(stage.store, vendor.taken)
        obstacle = "; ".join(stage.fleet.faulty)
    if not complete:
        obstacle = "; ".join(filter(None, (obstacle, "some events were never answered with 2xx")))
    took = time.monotonic() - began
    return ReceiptResult(
        drill, len(set(vendor.taken)), lost, twice, wrong, vendor.refused, took, obstacle
    )


def _play(drill: ReceiptDrill, stage: ReceiptStage, vendor: Vendor) -> bool:
    """Post events around the fault; return whether all were answered with 2xx in time."""
    reported = _reported(_sent(stage.store))
    stage.fleet.start(*WORKERS)
    stage.fleet.ready(*WORKERS)
    with ThreadPoolExecutor(1) as background:
        posted = background.submit(vendor.post_all, reported, timeout=AT_REST_WITHIN)
        time.sleep(UNDER_WAY)
        drill.fault(stage)
        complete = posted.result()
    until(lambda: _at_rest(stage), timeout=AT_REST_WITHIN)
    stage.fleet.at_once([("ledger",)])
    stage.fleet.stop_all()
    return complete


@contextmanager
def _staged(services: Services, folder: Path, *, port: int, key: str) -> Iterator[ReceiptStage]:
    with ExitStack() as cleanup:
        url = cleanup.enter_context(services.postgresql.database())
        store = Store.open(url)
        cleanup.callback(store.close)
        store.migrate()
        cleanup.enter_context(queues(services.broker.url))
        config = folder / "notify.toml"
        own = Terms().config(
            broker_url=services.broker.url, store_url=url, sandbox_url="http://127.0.0.1:9"
        )
        config.write_text(own + CONFIG.format(port=port, key=key))
        fleet = Fleet(folder, config, lease=6.0)
        cleanup.callback(fleet.end)
        yield ReceiptStage(services, fleet, store)


def _sent(store: Store) -> list[tuple[UUID, UUID]]:
    """Record notifications as sent through SendGrid; return their ids with their calls'."""
    now = datetime.now(UTC)
    found = []
    for _ in range(MESSAGES // 200):
        entries = [
            Entry(asked(lane="normal"), Status.SENDING, uuid4(), "sendgrid") for _ in range(200)
        ]
        store.claim(entries, now=now, lease=LEASE)
        results = []
        for entry in entries:
            assert entry.attempt_id is not None
            id_ = entry.notification.id
            results.append(
                Record(id_, entry.attempt_id, now, Outcome.ACCEPTED, Status.SENT, provider_id="x")
            )
            found.append((id_, entry.attempt_id))
        store.record(results)
    return found


def _reported(sent: Sequence[tuple[UUID, UUID]]) -> list[VendorEvent]:
    """Return two events for each call: processed, then delivered; each tenth bounces instead."""
    at = int(time.time())
    first = [VendorEvent(str(one), str(call), "processed", at) for one, call in sent]
    second = [
        VendorEvent(str(one), str(call), "delivered" if number % 10 else "bounce", at + 1)
        for number, (one, call) in enumerate(sent)
    ]
    return [*first, *second]


def _at_rest(stage: ReceiptStage) -> bool:
    """Return whether no receipt waits in a queue or in the inbox."""
    try:
        with stage.store.reading() as connection:
            inbox = connection.scalar(select(func.count()).select_from(receipt_inbox))
        return inbox == 0 and in_queues(stage.services.broker.ctl, [RECEIPTS, FEEDBACK]) == 0
    except (ConfigError, StoreError):
        return False


def _compare(store: Store, taken: Sequence[VendorEvent]) -> tuple[int, int, int]:
    """Return how many receipts are lost, count twice, and how many statuses are wrong."""
    ends = {"delivered": "delivered", "bounce": "bounced"}
    wanted = {(each.attempt_id, each.event) for each in taken}
    with store.reading() as connection:
        rows = Counter(
            (str(row.attempt_id), row.word)
            for row in connection.execute(select(receipts.c.attempt_id, receipts.c.word))
        )
        statuses = {
            str(row.id): row.status
            for row in connection.execute(select(notifications.c.id, notifications.c.status))
        }
        told = Counter(
            (row.notification_id, row.status)
            for row in connection.execute(select(events.c.notification_id, events.c.status))
        )
        counted = connection.execute(
            select(func.sum(reputation.c.delivered), func.sum(reputation.c.bounced))
        ).one()
    lost = len(wanted - rows.keys())
    ended = sum(event in ends for _, event in wanted)
    twice = sum(count - 1 for count in (*rows.values(), *told.values()))
    twice += abs(sum(int(each or 0) for each in counted) - ended)
    expected = {each.notification_id: ends[each.event] for each in taken if each.event in ends}
    wrong = sum(statuses.get(id_) != status for id_, status in expected.items())
    return lost, twice, wrong
