"""The work of a receipts worker on each kind of database: which receipts are applied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, text

from notify.arrival import Arrival, Dead, Decision, Raw
from notify.contract import Incoming, ReceiptMessage
from notify.message import Status
from notify.receipt import ReceiptEvent
from notify.receipts.application import ReceiptApplication
from notify.receipts.application_metrics import ApplicationMetrics
from notify.receipts.applier import ReceiptApplier
from notify.receipts.received import AppliedReceipt, ReceivedReceipt
from notify.relays import OwnEvents
from notify.store import Store
from notify.telemetry.metrics import Metrics
from notify.topology import RECEIPTS
from tests.support.reporting import CHANNELS, SOON, receipt, sent, status_of

POISON = "poison"


class _Applier(ReceiptApplier):
    """Writes what the record refuses, for receipts with one word."""

    def apply(
        self, connection: Connection, items: Sequence[ReceivedReceipt], **named: Any
    ) -> list[AppliedReceipt]:
        """Apply them all, or raise as a driver does."""
        if any(each.receipt.word == POISON for each in items):
            connection.execute(text("INSERT INTO receipts (provider) VALUES (NULL)"))
        return super().apply(connection, items, **named)


def test_a_receipt_that_the_record_refuses_dies_alone(store: Store) -> None:
    """The others of its message, which may be of other requests, are applied."""
    entries = [sent(store) for _ in range(7)]
    words = [POISON if number == 4 else "delivered" for number in range(7)]
    received = [
        receipt(entry, ReceiptEvent.DELIVERED, word=word).receipt
        for entry, word in zip(entries, words, strict=True)
    ]
    (message,) = ReceiptMessage.split(received, provider="sendgrid", received_at=SOON)
    incoming = Incoming(message.model_dump_json().encode(), message.routing_key)
    settled: list[Decision] = []
    application = ReceiptApplication(
        store,
        _Applier(CHANNELS),
        readers={},
        metrics=ApplicationMetrics(Metrics(), providers=CHANNELS),
        own_events=OwnEvents(),
        clock=lambda: SOON,
    )
    assert application.deliver([Arrival(incoming, settled.append, lambda: Raw(RECEIPTS))])
    assert settled == [Dead()]
    statuses = [status_of(store, each) for each in entries]
    assert statuses == [Status.SENT if word == POISON else Status.DELIVERED for word in words]
