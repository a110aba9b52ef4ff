"""Retention and erasure of receipts, on each kind of database."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from sqlalchemy import select, update

from notify.privacy import Keep, delete_old
from notify.privacy.erasure import Person, erase, look
from notify.receipt import ReceiptEvent
from notify.store import Actor, Store
from notify.store.tables import events, receipts, suppressions
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
