"""
Checks over the whole record: does every notification add up, and what do the counts say?

Here: the ledger (`notify ledger`) and the store-wide gauges. Not here: SQL (`store.ledger`), or
anything that changes a row.
"""

from notify.ledger.census import SHARE, Books, Census, count_through
from notify.ledger.ledger import LONG, TERMS, Found, Ledger, Line, draw_up

__all__ = [
    "LONG",
    "SHARE",
    "TERMS",
    "Books",
    "Census",
    "Found",
    "Ledger",
    "Line",
    "count_through",
    "draw_up",
]
