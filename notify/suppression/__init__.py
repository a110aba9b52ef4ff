"""
The suppression list, its sources, and categories with their unsubscribe links.

`suppress` and `lift` work in the caller's transaction. Not here: SQL (`store.suppression`), and the
check of each message, which is part of its claim (`store.delivery`).
"""

from notify.store.suppression import (
    ALL,
    Added,
    Lift,
    Suppression,
    SuppressionReason,
    by_reason,
    category_scope,
    lift,
    sender_scope,
    source_scope,
    suppress,
)
from notify.suppression.reports import log_added
from notify.suppression.rules import BOUNCE_LASTS, consequence, refusal

__all__ = [
    "ALL",
    "BOUNCE_LASTS",
    "Added",
    "Lift",
    "Suppression",
    "SuppressionReason",
    "by_reason",
    "category_scope",
    "consequence",
    "lift",
    "log_added",
    "refusal",
    "sender_scope",
    "source_scope",
    "suppress",
]
