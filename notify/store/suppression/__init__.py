"""SQL of `notify.suppression`: the list's entries, by hash; the check is part of the claim."""

from notify.store.suppression.check import SuppressionCheck, reason_in, sender_refused
from notify.store.suppression.entries import (
    ALL,
    Added,
    Lift,
    Suppression,
    SuppressionReason,
    by_reason,
    category_scope,
    sender_scope,
    source_scope,
)
from notify.store.suppression.hashes import rehash
from notify.store.suppression.retention import delete_ended_entries
from notify.store.suppression.search import (
    SEARCHED,
    ListedSuppression,
    SuppressionFilter,
    count_entries,
    count_in_effect,
    find_entries,
    lift_entries,
    newest_entry,
    stopped_messages,
    stream_entries,
)
from notify.store.suppression.vendor_lists import clear_vendor_lifts, pending_vendor_lifts
from notify.store.suppression.writing import lift, refresh_statistics, suppress

__all__ = [
    "ALL",
    "SEARCHED",
    "Added",
    "Lift",
    "ListedSuppression",
    "Suppression",
    "SuppressionCheck",
    "SuppressionFilter",
    "SuppressionReason",
    "by_reason",
    "category_scope",
    "clear_vendor_lifts",
    "count_entries",
    "count_in_effect",
    "delete_ended_entries",
    "find_entries",
    "lift",
    "lift_entries",
    "newest_entry",
    "pending_vendor_lifts",
    "reason_in",
    "refresh_statistics",
    "rehash",
    "sender_refused",
    "sender_scope",
    "source_scope",
    "stopped_messages",
    "stream_entries",
    "suppress",
]
