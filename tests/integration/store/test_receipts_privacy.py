"""Retention and erasure of receipts, on each kind of database."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select, update

from notify.contract import ReceiptMessage
from notify.privacy import Keep, delete_old
from notify.privacy.erasure import Person, erase, look
from notify.receipt import DeliveryReceipt, ReceiptEvent
from notify.store import Actor, Store
from notify.store.relays import lease_reports, publish_again
from notify.store.tables import events, receipts, suppressions
from notify.topology import RECEIPTS
from tests.support.burying import arrival, bury, died
from tests.support.recording import NOW
from tests.support.reporting import SOON, apply, receipt, sent

DAY = timedelta(days=1)
KEEP = Keep(
    lanes={"critical": 7 * DAY}, others=DAY, waiting=7 * DAY, audit=90 * DAY, receipts=3 * DAY
)


def count(store: Store) -> int:
    """The receipts on record."""
    with store.reading() as connection:
        return len(connection.execute(select(receipts.c.id)).all())


def delete(store: Store, *, after: timedelta) -> int:
    """Run the retention; return how many receipts it deleted."""
    with store.writing() as connection:
        connection.execute(update(events).values(to_publish=False))
    return delete_old(store, KEEP, now=NOW + after, batch=2, sleep=lambda _: None).receipts


def test_receipts_are_deleted_with_their_notification(store: Store) -> None:
    """Those without one have a time of their own, in batches."""
    apply(store, receipt(sent(store), ReceiptEvent.DELIVERED))
    strays = [receipt(None, ReceiptEvent.DELIVERED, attempt_id=uuid4()) for _ in range(5)]
    apply(store, *strays)
    assert delete(store, after=2 * DAY) == 0
    assert delete(store, after=4 * DAY) == 5
    assert count(store) == 1
    assert delete(store, after=8 * DAY) == 1
    assert count(store) == 0


def test_a_complaint_after_the_retention_still_suppresses(store: Store) -> None:
    """It names the recipient itself; a repeat adds nothing."""
    entry = sent(store)
    delete(store, after=8 * DAY)
    late = receipt(entry, ReceiptEvent.COMPLAINED)
    apply(store, late, late, now=SOON + 8 * DAY)
    with store.reading() as connection:
        (row,) = connection.execute(select(suppressions))
    assert row.reason == "complaint"


def test_an_erasure_leaves_no_hash_of_the_person_in_receipts(store: Store) -> None:
    """With and without a notification; a later receipt still suppresses the person."""
    entry = sent(store, to="ann@example.com")
    apply(store, receipt(entry, ReceiptEvent.DELIVERED, reason="of ann@example.com"))
    apply(store, receipt(None, ReceiptEvent.DELIVERED, recipient="ann@example.com"))
    other = sent(store, to="bob@example.com")
    apply(store, receipt(other, ReceiptEvent.DELIVERED))
    person = Person("ann@example.com")
    actor = Actor("ops", "ticket 1")
    erase(store, person, look(store, person), actor, cancel=True, now=SOON)
    with store.reading() as connection:
        rows = connection.execute(select(receipts).order_by(receipts.c.id)).all()
    assert [row.recipient_hash is None for row in rows] == [True, True, False]
    assert "ann" not in str([row.reason for row in rows])
    apply(store, receipt(entry, ReceiptEvent.COMPLAINED, recipient="ann@example.com"))
    with store.reading() as connection:
        assert connection.execute(select(suppressions.c.reason)).scalars().all() == ["complaint"]


@pytest.mark.parametrize("others", [0, 1])
def test_a_dead_letter_of_receipts_is_erased_unless_it_names_others(
    store: Store, others: int
) -> None:
    """One that waits for other recipients too is settled first; a planned replay is stopped."""
    named = ["ann@example.com", *(f"bob{n}@example.com" for n in range(others))]
    events = [DeliveryReceipt(ReceiptEvent.BOUNCED, "bounce", recipient=each) for each in named]
    (message,) = ReceiptMessage.split(events, provider="sendgrid", received_at=NOW)
    headers = died(queue=RECEIPTS)
    headers["x-death"][0]["exchange"] = RECEIPTS
    body = message.model_dump_json().encode()
    (letter,) = bury(store, arrival(body, key=message.routing_key, headers=headers))
    person = Person("ann@example.com")
    found = look(store, person)
    assert [each.shared for each in found.letters] == [bool(others)]
    if others:
        return
    with store.writing() as connection:
        publish_again(connection, {letter.id: RECEIPTS})
    erase(store, person, found, Actor("ops", "ticket 1"), cancel=True, now=SOON)
    with store.writing() as connection:
        assert lease_reports(connection, now=SOON, lease=DAY, limit=9) == []
