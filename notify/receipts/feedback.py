"""Producers' feedback: the only truth about push, and about codes that arrived and were used."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from notify.channels import CHANNELS, country_of
from notify.contract import Feedback, FeedbackOutcome, Incoming, Limits, read_feedback
from notify.receipt import DeliveryReceipt, ReceiptEvent
from notify.receipts.received import PRODUCER, ReceivedReceipt, ReportContent
from notify.store.receipts import OwnNotification, find_own

_EVENTS = {
    FeedbackOutcome.CONFIRMED: ReceiptEvent.CONFIRMED,
    FeedbackOutcome.FAILED: ReceiptEvent.FAILED,
}


class FeedbackReader:
    """Reads `feedback.<source>`; a source reports about its own notifications only."""

    def __init__(self, limits: Limits) -> None:
        """
        Create a reader.

        Args:
            limits: The contract's, as delivery applies them.
        """
        self._limits = limits

    def read(self, incoming: Incoming) -> Feedback:
        """
        Return the feedback in a message.

        Raises:
            RequestInvalid: It breaks the contract.
        """
        return read_feedback(incoming, self._limits)

    def reported(
        self, connection: Connection, read: Sequence[Feedback], *, now: datetime
    ) -> ReportContent:
        """Return the receipts of feedback, each about a notification of its source."""
        own = find_own(connection, [(each.source, each.id) for each in read])
        found = [_received(each, own.get((each.source, each.id)), now=now) for each in read]
        return ReportContent(receipts=found)


def _received(
    feedback: Feedback, notification: OwnNotification | None, *, now: datetime
) -> ReceivedReceipt:
    receipt = DeliveryReceipt(
        event=_EVENTS[feedback.outcome],
        word=feedback.outcome.value,
        notification_id=notification.id if notification else None,
        # Of an unknown one the row shows what the producer meant.
        provider_id="" if notification else f"{feedback.source}/{feedback.id}",
        # As it is: with the present instead of a later time, a copy would be another receipt.
        at=feedback.at,
        reason=feedback.note,
    )
    return ReceivedReceipt(receipt, PRODUCER, now, country=_country(notification))


def _country(notification: OwnNotification | None) -> str:
    if notification is None or not CHANNELS[notification.channel].by_country:
        return ""
    return country_of(notification.recipient) or ""
