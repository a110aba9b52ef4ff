"""
The later story of a sent message: vendors' receipts and producers' feedback.

Intake (verify, publish, answer), and application (match, record, derive the status). Not here: the
vendors' formats and signatures (`providers`), HTTP (`web`), SQL (`store.receipts`), and who must
not be written to (`suppression`).
"""

from notify.receipts.brake import ReputationBrake
from notify.receipts.intake import NotStored, ReceiptInbox, ReceiptIntake, UnknownReader, outgoing
from notify.receipts.intake_metrics import IntakeMetrics

__all__ = [
    "IntakeMetrics",
    "NotStored",
    "ReceiptInbox",
    "ReceiptIntake",
    "ReputationBrake",
    "UnknownReader",
    "outgoing",
]
