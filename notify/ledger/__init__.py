"""
Checks over the whole record: does every notification add up, and what do the counts say?

Here: the ledger (`notify ledger`) and the store-wide gauges. Not here: SQL (`store.ledger`), or
anything that changes a row.
"""

from notify.ledger.ledger import LONG, TERMS, Contradiction, Ledger, Line, draw_up
from notify.ledger.record_metrics import SHARE, LedgerSnapshot, RecordMetrics, count_through

__all__ = [
    "LONG",
    "SHARE",
    "TERMS",
    "Contradiction",
    "Ledger",
    "LedgerSnapshot",
    "Line",
    "RecordMetrics",
    "count_through",
    "draw_up",
]
