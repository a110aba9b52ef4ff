"""SQL of `notify.reconcile`: calls without an answer, and how each was resolved."""

from notify.store.reconcile.lost import (
    Lost,
    Rivals,
    give_up,
    last_unknown,
    postpone,
    rivals,
    unknown_calls,
)
from notify.store.reconcile.outcomes import (
    Settled,
    is_erased,
    move,
    owner_of,
    settle,
    status_of,
)
from notify.store.transitions import Transition

__all__ = [
    "Lost",
    "Rivals",
    "Settled",
    "Transition",
    "give_up",
    "is_erased",
    "last_unknown",
    "move",
    "owner_of",
    "postpone",
    "rivals",
    "settle",
    "status_of",
    "unknown_calls",
]
