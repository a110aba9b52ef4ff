"""Sent notifications, and vendors' receipts about them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from notify.message import Channel, Status
from notify.receipt import DeliveryReceipt, ReceiptEvent
from notify.receipts.applier import ReceiptApplier
from notify.receipts.received import AppliedReceipt, ReceivedReceipt
from notify.store import Entry, Store
from tests.support.recording import NOW, accepted, begin

CHANNELS = {"sendgrid": Channel.EMAIL, "twilio": Channel.SMS}
SOON = NOW + timedelta(seconds=3)


def sent(store: Store, **changes: Any) -> Entry:
    """A notification that the provider accepted."""
    entry = begin(store, **changes)
    store.record([accepted(entry)])
    return entry


def receipt(entry: Entry | None, event: ReceiptEvent, **changes: Any) -> ReceivedReceipt:
    """A vendor's receipt about the call of a notification."""
    values: dict[str, Any] = {
        "word": event.value,
        "attempt_id": entry.attempt_id if entry else None,
        "recipient": entry.notification.to if entry else "",
        "at": SOON,
    }
    provider = changes.pop("provider", "sendgrid")
    return ReceivedReceipt(DeliveryReceipt(event=event, **(values | changes)), provider, SOON)


def apply(store: Store, *received: ReceivedReceipt, now: datetime = SOON) -> list[AppliedReceipt]:
    """Apply receipts in one transaction."""
    with store.writing() as connection:
        return ReceiptApplier(CHANNELS).apply(connection, received, now=now)


def apply_waiting(store: Store, *, now: datetime) -> list[AppliedReceipt]:
    """Apply receipts that waited for their call."""
    with store.writing() as connection:
        return ReceiptApplier(CHANNELS).apply_waiting(connection, now=now)


def status_of(store: Store, entry: Entry | UUID) -> Status:
    """The status of a notification on record."""
    story = store.get(entry if isinstance(entry, UUID) else entry.notification.id)
    assert story is not None
    return story.status
