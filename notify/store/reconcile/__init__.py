"""SQL of `notify.reconcile`: lost calls, and how each is settled."""

from notify.store.reconcile.lost import (
    LostCall,
    RivalCalls,
    find_lost_call,
    find_rivals,
    give_up_lapsed,
    postpone_lookup,
    unknown_calls,
)
from notify.store.reconcile.outcomes import (
    NOT_RESENT,
    Settled,
    calls_made,
    change_status,
    is_erased,
    lock_status,
    notification_of,
    settle_call,
)
from notify.store.status_rules import Transition

__all__ = [
    "NOT_RESENT",
    "LostCall",
    "RivalCalls",
    "Settled",
    "Transition",
    "calls_made",
    "change_status",
    "find_lost_call",
    "find_rivals",
    "give_up_lapsed",
    "is_erased",
    "lock_status",
    "notification_of",
    "postpone_lookup",
    "settle_call",
    "unknown_calls",
]
