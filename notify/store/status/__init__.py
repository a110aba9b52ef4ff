"""
SQL of `notify.status`: bounded searches and counts for people who look at the record.

Each query examines a bounded number of rows through an index, however large the record is. Not
here: queries that a delivery, a relay or the ledger needs.
"""

from notify.store.status.batches import BatchSize, find_batches
from notify.store.status.calls import RecentCalls, count_calls, last_calls
from notify.store.status.matches import (
    FIRST_STEP,
    SEARCHED,
    SEARCHED_WITH_CALLS,
    Matches,
    PageKey,
    RowSearch,
    find_matches,
)
from notify.store.status.sources import SourceActivity, count_sources, known_sources
from notify.store.status.story import PublishedChange, read_changes

__all__ = [
    "FIRST_STEP",
    "SEARCHED",
    "SEARCHED_WITH_CALLS",
    "BatchSize",
    "Matches",
    "PageKey",
    "PublishedChange",
    "RecentCalls",
    "RowSearch",
    "SourceActivity",
    "count_calls",
    "count_sources",
    "find_batches",
    "find_matches",
    "known_sources",
    "last_calls",
    "read_changes",
]
