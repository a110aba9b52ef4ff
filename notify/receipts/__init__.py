"""
The later story of a sent message: vendors' receipts and producers' feedback.

Intake (verify, publish, answer), and application (match, record, derive the status). Not here: the
vendors' formats and signatures (`providers`), HTTP (`web`), SQL (`store.receipts`), and who must
not be written to (`suppression`).
"""

from notify.receipts.application import ReceiptApplication, ReportReader
from notify.receipts.application_metrics import ApplicationMetrics
from notify.receipts.applier import LONGEST_WAIT, ReceiptApplier
from notify.receipts.brake import ReputationBrake
from notify.receipts.feedback import FeedbackReader
from notify.receipts.inbox import RecordInbox
from notify.receipts.intake import NotStored, ReceiptInbox, ReceiptIntake, UnknownReader, outgoing
from notify.receipts.intake_metrics import IntakeMetrics
from notify.receipts.optouts import OptOutReader
from notify.receipts.received import AppliedReceipt, ReceiptVerdict, ReceivedReceipt
from notify.receipts.tracker import ReceiptTracker
from notify.receipts.unsubscribe import UNSUBSCRIBE, Unsubscriber, opted_out

__all__ = [
    "LONGEST_WAIT",
    "UNSUBSCRIBE",
    "ApplicationMetrics",
    "AppliedReceipt",
    "FeedbackReader",
    "IntakeMetrics",
    "NotStored",
    "OptOutReader",
    "ReceiptApplication",
    "ReceiptApplier",
    "ReceiptInbox",
    "ReceiptIntake",
    "ReceiptTracker",
    "ReceiptVerdict",
    "ReceivedReceipt",
    "RecordInbox",
    "ReportReader",
    "ReputationBrake",
    "UnknownReader",
    "Unsubscriber",
    "opted_out",
    "outgoing",
]
