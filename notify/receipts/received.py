"""A receipt on its way into the record, and the result of applying it."""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from notify.contract import ReceiptMessage
from notify.policies import normalize
from notify.receipt import DeliveryReceipt
from notify.store.receipts import ReportedNotification
from notify.suppression import Suppression

PRODUCER = "producer"
"""The provider of receipts that are a producer's own feedback."""
_LONGEST = 255
_LONGEST_CODE = 64


class ReceiptVerdict(enum.StrEnum):
    """The effect of a receipt; a label of metrics."""

    NEW = "new"
    """It was recorded, and the status says at least what it says."""
    REPEAT = "repeat"
    """It is on record already."""
    LATE = "late"
    """It was recorded, and the status says more already, or cannot change."""
    UNMATCHED = "unmatched"
    """No notification on record matches."""
    WAITING = "waiting"
    """Its notification is still being sent; it is applied within `LONGEST_WAIT`."""


@dataclass(frozen=True, slots=True)
class ReceivedReceipt:
    """
    One receipt, the provider that reported it, and when it arrived.

    Attributes:
        country: Of the recipient's number, for the metrics of feedback; empty if it has none.
    """

    receipt: DeliveryReceipt
    provider: str
    received_at: datetime
    country: str = ""

    def fingerprint(self, recipient_hash: bytes | None) -> bytes:
        """Return the digest of the parts that stay the same when the vendor repeats it."""
        receipt = self.receipt
        call = str(receipt.attempt_id or "") or receipt.provider_id
        if not call:
            call = str(receipt.notification_id or "")
        if not call and receipt.at is None:
            # A reply of STOP has the id of its own message only, and may follow a START.
            call = receipt.event_id
        parts = (
            *(self.provider, call, receipt.event.value, receipt.word),
            receipt.at and receipt.at.timestamp(),
            (recipient_hash or b"").hex(),
            receipt.code,
            # One click may leave several groups, each with an event of the same second.
            *((receipt.scope,) if receipt.scope else ()),
        )
        return hashlib.sha256(json.dumps(parts).encode()).digest()


@dataclass(frozen=True, slots=True)
class AppliedReceipt:
    """A receipt, and its effect."""

    received: ReceivedReceipt
    verdict: ReceiptVerdict
    notification: ReportedNotification | None = None


@dataclass(frozen=True, slots=True)
class ReportContent:
    """The receipts, and the entries for the suppression list, that producers' reports amount to."""

    receipts: Sequence[ReceivedReceipt] = ()
    opt_outs: Sequence[Suppression] = ()


def received_of(message: ReceiptMessage) -> Iterator[ReceivedReceipt]:
    """Yield the receipts of a message, with texts that any database can store."""
    for receipt in message.delivery_receipts():
        plain = replace(
            receipt,
            word=_text(receipt.word) or "",
            provider_id=_text(receipt.provider_id) or "",
            code=normalize.text(receipt.code, longest=_LONGEST_CODE),
            reason=_text(receipt.reason),
        )
        yield ReceivedReceipt(plain, message.provider, message.received_at)


def _text(value: str | None) -> str | None:
    return normalize.text(value, longest=_LONGEST)
