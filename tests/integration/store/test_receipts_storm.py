"""10,000 signed events in a random order: repeated, forged, too early; every end is right."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from notify.arrival import Arrival, Decision, Done, Raw
from notify.contract import Incoming
from notify.errors import PublishError
from notify.ledger import build_ledger
from notify.message import Status
from notify.publisher import Outgoing
from notify.receipt import Forged, ReceiptEvent
from notify.receipts.application import ReceiptApplication
from notify.receipts.application_metrics import ApplicationMetrics
from notify.receipts.applier import ReceiptApplier
from notify.receipts.intake import ReceiptIntake
from notify.receipts.intake_metrics import IntakeMetrics
from notify.receipts.lattice import derived
from notify.relays import OwnEvents
from notify.store import Entry, Store
from notify.store.sealing import cipher_of
from notify.store.tables import notifications, receipts, suppressions
from notify.telemetry.metrics import Metrics
from notify.topology import RECEIPTS
from providers.sendgrid import SendGridReceipts
from tests.support.recording import LATER, LEASE, NOW, accepted, asked, call_for
from tests.support.reporting import CHANNELS, SOON
from tests.support.signing import SendGridSigner

EVENTS, REPEATS, FORGERIES = 10_000, 3_000, 500
NOTIFICATIONS = 2_000
EARLY = NOTIFICATIONS // 20
KINDS: dict[str, tuple[ReceiptEvent, dict[str, Any]]] = {
    "processed": (ReceiptEvent.ACCEPTED, {}),
    "deferred": (ReceiptEvent.DEFERRED, {"response": "451 4.7.1 later"}),
    "delivered": (ReceiptEvent.DELIVERED, {}),
    "dead": (
        ReceiptEvent.BOUNCED,
        {"event": "bounce", "type": "bounce", "status": "5.1.1"}
        | {"bounce_classification": "Invalid Address"},
    ),
    "blocked": (ReceiptEvent.BOUNCED, {"event": "bounce", "type": "blocked", "status": "5.7.26"}),
    "spamreport": (ReceiptEvent.COMPLAINED, {}),
    "unsubscribe": (ReceiptEvent.OPTED_OUT, {}),
}
SUPPRESSES = {"dead": "bounce", "spamreport": "complaint", "unsubscribe": "opt_out"}
GENUINE, FORGER = SendGridSigner(), SendGridSigner()


class Collected:
    """The broker: it confirms everything, and keeps it for the workers."""

    def __init__(self) -> None:
        self.messages: list[Outgoing] = []

    def publish_many(self, messages: Iterable[Outgoing]) -> Iterator[PublishError | None]:
        """Confirm each message."""
        for each in messages:
            self.messages.append(each)
            yield None


@pytest.mark.parametrize("seed", [11])
def test_a_storm_of_receipts_ends_right(store: Store, seed: int) -> None:
    """Statuses, verdicts, refusals and suppressions, all as the rules say."""
    rng = random.Random(seed)
    entries = [call_for(asked(to=f"r{n}@example.com")) for n in range(NOTIFICATIONS)]
    early, timely = entries[:EARLY], entries[EARLY:]
    store.claim(entries, now=NOW, lease=LEASE)
    store.record([accepted(each) for each in timely])
    chosen = _drawn(rng, entries, EVENTS - REPEATS - FORGERIES)
    genuine = [_event(entry, kind) for entry, kind in chosen]
    genuine += [dict(each, sg_event_id=uuid4().hex) for each in rng.choices(genuine, k=REPEATS)]
    rng.shuffle(genuine)
    forged = [_event(each, "spamreport") for each in rng.choices(entries, k=FORGERIES)]
    requests = [(GENUINE, each) for each in _split(genuine, rng)]
    requests += [(FORGER, each) for each in _split(forged, rng)]
    rng.shuffle(requests)
    metrics, broker = Metrics(), Collected()
    application = _application(store, metrics)
    refused = 0
    for number, (signer, events) in enumerate(requests):
        if number == len(requests) // 2:
            store.record([accepted(each) for each in early])
        try:
            _intake(metrics, broker).accept("sendgrid", signer.posted(events))
        except Forged:
            refused += 1
        if number % 7 == 0:
            _work(application, broker)
    _work(application, broker)
    while application.apply_waiting():
        pass

    assert refused == sum(signer is FORGER for signer, _ in requests)
    assert _counted(metrics) == {
        "forged": refused,
        "stored": EVENTS - FORGERIES,
        "new+late": EVENTS - REPEATS - FORGERIES,
        "repeat": REPEATS,
    }
    assert _statuses(store) == _expected(entries, chosen)
    assert _suppressed(store, entries) == Counter(
        (entry.notification.to, SUPPRESSES[kind]) for entry, kind in chosen if kind in SUPPRESSES
    )
    with store.reading() as connection:
        rows = connection.execute(select(receipts.c.applied_at, receipts.c.waits_until)).all()
    assert len(rows) == len(chosen)
    assert all(row.applied_at is not None and row.waits_until is None for row in rows)
    assert build_ledger(store, now=LATER).balanced


def _drawn(rng: random.Random, entries: list[Entry], number: int) -> list[tuple[Entry, str]]:
    """Draw different events of the notifications; each has one."""
    every = [(entry, kind) for entry in entries for kind in KINDS]
    first = [(entry, rng.choice(list(KINDS))) for entry in entries]
    others = rng.sample(sorted(set(map(_key, every)) - set(map(_key, first))), number - len(first))
    by_id = {str(entry.attempt_id): entry for entry in entries}
    return first + [(by_id[id_], kind) for id_, kind in others]


def _key(drawn: tuple[Entry, str]) -> tuple[str, str]:
    return str(drawn[0].attempt_id), drawn[1]


def _event(entry: Entry, kind: str) -> dict[str, Any]:
    return {
        "email": entry.notification.to,
        "event": kind,
        "timestamp": int(SOON.timestamp()),
        "sg_event_id": uuid4().hex,
        "sg_message_id": f"m-{entry.attempt_id}.recvd-1",
        "notify_id": str(entry.notification.id),
        "attempt_id": str(entry.attempt_id),
    } | KINDS[kind][1]


def _split(events: list[dict[str, Any]], rng: random.Random) -> Iterator[list[dict[str, Any]]]:
    """Yield requests of different sizes."""
    left = list(events)
    while left:
        size = rng.randint(1, 100)
        yield left[:size]
        del left[:size]


def _application(store: Store, metrics: Metrics) -> ReceiptApplication:
    return ReceiptApplication(
        store,
        ReceiptApplier(CHANNELS),
        readers={},
        metrics=ApplicationMetrics(metrics, providers=CHANNELS),
        own_events=OwnEvents(),
        clock=lambda: SOON + timedelta(seconds=1),
    )


def _intake(metrics: Metrics, broker: Collected) -> ReceiptIntake:
    reader = SendGridReceipts(public_url="", keys=[GENUINE.public_key])
    return ReceiptIntake(
        {"sendgrid": reader},
        publisher=broker,  # type: ignore[arg-type]
        inbox=None,  # type: ignore[arg-type]
        metrics=IntakeMetrics(metrics, providers=["sendgrid"]),
        clock=lambda: SOON,
    )


def _work(application: ReceiptApplication, broker: Collected) -> None:
    decisions: list[Decision] = []
    raw = Raw(RECEIPTS)
    arrivals = [
        Arrival(Incoming(each.body, each.routing_key), decisions.append, lambda: raw)
        for each in broker.messages
    ]
    broker.messages.clear()
    assert application.deliver(arrivals)
    assert decisions == [Done()] * len(arrivals)
    application.apply_waiting()


def _counted(metrics: Metrics) -> dict[str, float]:
    counts = dict.fromkeys(["new+late"], 0.0)
    for line in metrics.text().decode().splitlines():
        if line.startswith("notify_receipts_total{"):
            verdict = line.partition('verdict="')[2].partition('"')[0]
            name = "new+late" if verdict in ("new", "late") else verdict
            counts[name] = counts.get(name, 0.0) + float(line.split()[-1])
    return {verdict: count for verdict, count in counts.items() if count}


def _statuses(store: Store) -> dict[UUID, Status]:
    columns = notifications.c
    with store.reading() as connection:
        rows = connection.execute(select(columns.id, columns.status)).all()
    return {row.id: Status(row.status) for row in rows}


def _expected(entries: list[Entry], chosen: list[tuple[Entry, str]]) -> dict[UUID, Status]:
    reported: dict[UUID, list[ReceiptEvent]] = {each.notification.id: [] for each in entries}
    for entry, kind in chosen:
        reported[entry.notification.id].append(KINDS[kind][0])
    return {id_: derived(Status.SENT, found) for id_, found in reported.items()}


def _suppressed(store: Store, entries: list[Entry]) -> Counter[tuple[str, str]]:
    with store.reading() as connection:
        cipher = cipher_of(connection)
        of_hash = {
            cipher.hashes(entry.notification.to)[0]: entry.notification.to for entry in entries
        }
        rows = connection.execute(select(suppressions.c.recipient_hash, suppressions.c.reason))
        return Counter((of_hash[bytes(row.recipient_hash)], row.reason) for row in rows)
