"""
Counting and finding notifications without reading the whole record.

Settled notifications are counted by kept totals, open ones by an index. Not here: whether the
totals are right, which is the ledger's work (`store.ledger`).
"""

from notify.store.totals.counts import CountFilter, GroupCount, count_groups, settled_spans
from notify.store.totals.kept import (
    ADD_ON_SQLITE,
    HOUR,
    HOUR_IN_SQL,
    Group,
    change_totals,
    current,
    fold,
    hour_begin,
    hour_column,
    hour_of,
    lock_totals,
    settled,
)
from notify.store.totals.open_rows import (
    LATE,
    RECENT,
    first_received,
    mark_late,
    mark_open,
    open_rows,
    sweep,
)
from notify.store.totals.progress import Progress, read_progress, write_progress

__all__ = [
    "ADD_ON_SQLITE",
    "HOUR",
    "HOUR_IN_SQL",
    "LATE",
    "RECENT",
    "CountFilter",
    "Group",
    "GroupCount",
    "Progress",
    "change_totals",
    "count_groups",
    "current",
    "first_received",
    "fold",
    "hour_begin",
    "hour_column",
    "hour_of",
    "lock_totals",
    "mark_late",
    "mark_open",
    "open_rows",
    "read_progress",
    "settled",
    "settled_spans",
    "sweep",
    "write_progress",
]
