"""
Checks and counts of the whole record: is every accepted request on record exactly once?

Here: the ledger (`notify ledger`) and the store-wide gauges. Not here: SQL (`store.ledger`), or
anything that changes a row.
"""

from notify.ledger.ledger import GRACE, TERMS, Contradiction, Ledger, Line, Miscount, build_ledger
from notify.ledger.record_metrics import PERIOD, SHARE, LedgerSnapshot, RecordMetrics, count_record
from notify.ledger.upkeep import keep_up

__all__ = [
    "GRACE",
    "PERIOD",
    "SHARE",
    "TERMS",
    "Contradiction",
    "Ledger",
    "LedgerSnapshot",
    "Line",
    "Miscount",
    "RecordMetrics",
    "build_ledger",
    "count_record",
    "keep_up",
]
