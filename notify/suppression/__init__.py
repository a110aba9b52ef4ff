"""
The suppression list, its sources, and categories with their unsubscribe links.

`suppress` and `lift` work in the caller's transaction. Not here: SQL (`store.suppression`), and the
check of each message, which is part of its claim (`store.delivery`).
"""

from notify.store.suppression import (
    ALL,
    Added,
    Lift,
    ListedSuppression,
    Suppression,
    SuppressionFilter,
    SuppressionReason,
    by_reason,
    category_scope,
    lift,
    sender_scope,
    source_scope,
    suppress,
)
from notify.suppression.csv_rows import COLUMNS, ImportDefaults, csv_row, is_scope, read_csv
from notify.suppression.operators import (
    ImportStep,
    add_entry,
    add_within,
    import_entries,
    lift_for_operator,
)
from notify.suppression.reports import log_added
from notify.suppression.rules import BOUNCE_LASTS, consequence, refusal
from notify.suppression.sync import ListSync, SyncStep, sync_lists

__all__ = [
    "ALL",
    "BOUNCE_LASTS",
    "COLUMNS",
    "Added",
    "ImportDefaults",
    "ImportStep",
    "Lift",
    "ListSync",
    "ListedSuppression",
    "Suppression",
    "SuppressionFilter",
    "SuppressionReason",
    "SyncStep",
    "add_entry",
    "add_within",
    "by_reason",
    "category_scope",
    "consequence",
    "csv_row",
    "import_entries",
    "is_scope",
    "lift",
    "lift_for_operator",
    "log_added",
    "read_csv",
    "refusal",
    "sender_scope",
    "source_scope",
    "suppress",
    "sync_lists",
]
