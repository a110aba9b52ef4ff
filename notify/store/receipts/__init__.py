"""The SQL of receipts: the intake's inbox, and the application of receipts to notifications."""

from notify.store.receipts.reputation import (
    Reported,
    Sender,
    count_reports,
    delete_reports,
    lock_reports,
    read_reports,
)

__all__ = [
    "Reported",
    "Sender",
    "count_reports",
    "delete_reports",
    "lock_reports",
    "read_reports",
]
