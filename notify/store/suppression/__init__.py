"""SQL of `notify.suppression`: the list's entries, by hash; the check is part of the claim."""

from notify.store.suppression.check import SuppressionCheck, sender_refused
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
from notify.store.suppression.writing import lift, suppress

__all__ = [
    "ALL",
    "Added",
    "Lift",
    "Suppression",
    "SuppressionCheck",
    "SuppressionReason",
    "by_reason",
    "category_scope",
    "delete_ended_entries",
    "lift",
    "rehash",
    "sender_refused",
    "sender_scope",
    "source_scope",
    "suppress",
]
