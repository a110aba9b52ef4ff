"""The lattice: which status a receipt gives a notification, and which of two goes further."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from notify.message import Status
from notify.receipt import ReceiptEvent

LATTICE = (
    Status.SENT,
    Status.DELIVERED,
    Status.BOUNCED,
    Status.CONFIRMED,
    Status.COMPLAINED,
)
"""
The statuses of a sent notification, in the order in which a later one replaces an earlier one.

A receipt never moves a status back, so the final status depends on the set of receipts and not on
their order. A bounce replaces a delivery: servers accept mail that they return later, and one
failed segment of an SMS makes it unreadable. The producer's own confirmation outweighs both.
"""

STATUS_OF: Mapping[ReceiptEvent, Status] = {
    ReceiptEvent.ACCEPTED: Status.SENT,
    ReceiptEvent.DEFERRED: Status.SENT,
    ReceiptEvent.DELIVERED: Status.DELIVERED,
    ReceiptEvent.BOUNCED: Status.BOUNCED,
    ReceiptEvent.COMPLAINED: Status.COMPLAINED,
    ReceiptEvent.CONFIRMED: Status.CONFIRMED,
}
"""The status that each event proves; the other events prove none."""


def derived(before: Status, events: Collection[ReceiptEvent]) -> Status:
    """
    Return the status of a sent notification after some receipts, whatever their order.

    Args:
        before: One of `LATTICE`; any other status stays as it is.
    """
    if before not in LATTICE:
        return before
    proven = [STATUS_OF[event] for event in events if event in STATUS_OF]
    return max([before, *proven], key=LATTICE.index)


def is_late(status: Status, event: ReceiptEvent) -> bool:
    """Return whether an event reports less than the status says already, or cannot change it."""
    proven = STATUS_OF.get(event)
    if proven is None:
        return False
    return status not in LATTICE or LATTICE.index(proven) < LATTICE.index(status)
