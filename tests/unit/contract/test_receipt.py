"""Receipts on AMQP: split by event, bounded, and the same after a trip as JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from notify.contract import MOST_RECEIPTS, ReceiptMessage, RequestInvalid, read_receipts
from notify.receipt import Blame, DeliveryReceipt, ReceiptEvent
from tests.support.tables import each_of

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


def _receipt(event: ReceiptEvent, number: int) -> DeliveryReceipt:
    return DeliveryReceipt(
        event=event,
        word=event.value,
        notification_id=uuid4(),
        attempt_id=uuid4(),
        provider_id=f"p{number}",
        event_id=f"e{number}",
        recipient="ada@example.com",
        at=NOW,
        blame=Blame.RECIPIENT,
        code="5.1.1",
        reason="Invalid Address",
        scope="MG1",
    )


def test_receipts_survive_the_trip_in_messages_by_event() -> None:
    """Each message has one event and at most the allowed number, and every receipt arrives."""
    bounced = [_receipt(ReceiptEvent.BOUNCED, n) for n in range(MOST_RECEIPTS + 1)]
    delivered = [_receipt(ReceiptEvent.DELIVERED, n) for n in range(3)]
    mixed = [*bounced[:5], *delivered, *bounced[5:]]
    messages = list(ReceiptMessage.split(mixed, provider="sendgrid", received_at=NOW))
    assert [(m.routing_key, len(m.receipts)) for m in messages] == [
        ("sendgrid.bounced", MOST_RECEIPTS),
        ("sendgrid.bounced", 1),
        ("sendgrid.delivered", 3),
    ]
    arrived = [read_receipts(m.model_dump_json().encode()) for m in messages]
    assert [r for m in arrived for r in m.delivery_receipts()] == [*bounced, *delivered]
    assert {m.received_at for m in arrived} == {NOW}


def test_long_texts_are_cut() -> None:
    """A vendor's long text does not make the message unreadable."""
    long = DeliveryReceipt(
        event=ReceiptEvent.DELIVERED, word="w" * 999, recipient="r" * 9999, code="c" * 999
    )
    (message,) = ReceiptMessage.split([long], provider="twilio", received_at=NOW)
    (entry,) = read_receipts(message.model_dump_json().encode()).receipts
    assert (len(entry.word), len(entry.recipient), len(entry.code or "")) == (255, 4096, 64)


def test_text_that_no_database_stores_harms_no_other_receipt() -> None:
    """A reader may return what its vendor wrote."""
    strange = DeliveryReceipt(
        event=ReceiptEvent.BOUNCED, word="b", recipient="a\0\ud800@example.com", code="\udfff"
    )
    (message,) = ReceiptMessage.split([strange], provider="acme", received_at=NOW)
    (entry,) = read_receipts(message.model_dump_json().encode()).receipts
    assert (entry.recipient, entry.code) == ("a\ufffd\ufffd@example.com", "\ufffd")


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"provider": "x", "receipts": []}', b"\xff"])
def test_a_body_of_another_form_is_refused(body: bytes) -> None:
    """The text names fields and no values."""
    with pytest.raises(RequestInvalid):
        read_receipts(body)


_TIMES = ["2026-01-01T00:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1e300"]


@each_of("time", _TIMES)
@each_of("field", ["at", "received_at"])
def test_a_time_that_no_database_stores_is_refused(field: str, time: str) -> None:
    """It must not fail later: the record would count as away, and stop the pool."""
    (message,) = ReceiptMessage.split(
        [_receipt(ReceiptEvent.OPTED_OUT, 1)], provider="x", received_at=NOW
    )
    document = json.loads(message.model_dump_json())
    place = document if field == "received_at" else document["receipts"][0]
    read_receipts(json.dumps(document).encode())
    place[field] = time
    with pytest.raises(RequestInvalid, match="is not what a receipt has there"):
        read_receipts(json.dumps(document).encode())


@pytest.mark.parametrize("time", _TIMES[:3])
def test_a_readers_time_that_no_database_stores_is_not_known(time: str) -> None:
    """The receipt itself counts."""
    strange = replace(_receipt(ReceiptEvent.BOUNCED, 1), at=datetime.fromisoformat(time))
    (message,) = ReceiptMessage.split([strange], provider="acme", received_at=NOW)
    (entry,) = read_receipts(message.model_dump_json().encode()).receipts
    assert entry.at is None
