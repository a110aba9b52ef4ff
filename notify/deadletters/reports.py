"""Dead letters that are not requests: vendors' receipts, and reports of producers."""

from __future__ import annotations

import enum

from notify.contract import (
    FEEDBACK_KEY,
    Incoming,
    Limits,
    Problem,
    RequestInvalid,
    read_feedback,
    read_receipts,
)
from notify.receipt import ReceiptEvent
from notify.topology import RECEIPTS, WORK

_OF_PRODUCERS = (FEEDBACK_KEY, "optout")
NO_QUEUE = Problem(
    "", "no queue was bound for its key", "ask the operators to run `notify topology apply`"
)
"""The problem of a report that reached no queue."""


class ReportKind(enum.Enum):
    """The origin of a report; the value is the exchange to publish it to again."""

    RECEIPTS = RECEIPTS
    """From the web intake."""
    PRODUCER = WORK
    """From a producer, by `feedback.<source>` or `optout.<source>`."""


def report_kind(exchange: str, routing_key: str) -> ReportKind | None:
    """
    Return the kind of a report; None if the message is a request.

    Producers may forge headers, but the broker lets none publish with the key of a receipt.

    Args:
        exchange: The exchange that it was published to first.
    """
    first, _, rest = routing_key.partition(".")
    if first in _OF_PRODUCERS:
        return ReportKind.PRODUCER
    if exchange == RECEIPTS and rest in set(ReceiptEvent):
        return ReportKind.RECEIPTS
    return None


def report_problem(kind: ReportKind, incoming: Incoming, limits: Limits) -> RequestInvalid | None:
    """Return how a report breaks its contract; None if it does not."""
    try:
        if kind is ReportKind.RECEIPTS:
            read_receipts(incoming.body)
        elif incoming.routing_key.startswith(f"{FEEDBACK_KEY}."):
            read_feedback(incoming, limits)
    except RequestInvalid as error:
        return error
    return None
