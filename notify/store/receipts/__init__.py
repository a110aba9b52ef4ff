"""The SQL of receipts: the intake's inbox, and the application of receipts to notifications."""

from notify.store.receipts.matching import (
    OwnNotification,
    RecentCall,
    ReportedCall,
    ReportedNotification,
    find_own,
    lock_reported,
    owners_of,
    recent_calls,
)
from notify.store.receipts.reputation import (
    ENDS,
    Reported,
    Sender,
    count_reports,
    delete_reports,
    lock_reports,
    read_reports,
)
from notify.store.receipts.rows import (
    ReceiptRow,
    WaitingReceipt,
    end_waits,
    insert_receipts,
    known_receipts,
)
from notify.store.receipts.statuses import keep_codes, raise_statuses
from notify.store.receipts.tracking import (
    LookupCursor,
    UnreportedCall,
    lease_cursor,
    move_cursor,
    read_unreported,
)
from notify.store.receipts.waiting import lock_waiting
from notify.store.status_rules import LONGEST_REASON, RowTransition

__all__ = [
    "ENDS",
    "LONGEST_REASON",
    "LookupCursor",
    "OwnNotification",
    "ReceiptRow",
    "RecentCall",
    "Reported",
    "ReportedCall",
    "ReportedNotification",
    "RowTransition",
    "Sender",
    "UnreportedCall",
    "WaitingReceipt",
    "count_reports",
    "delete_reports",
    "end_waits",
    "find_own",
    "insert_receipts",
    "keep_codes",
    "known_receipts",
    "lease_cursor",
    "lock_reported",
    "lock_reports",
    "lock_waiting",
    "move_cursor",
    "owners_of",
    "raise_statuses",
    "read_reports",
    "read_unreported",
    "recent_calls",
]
