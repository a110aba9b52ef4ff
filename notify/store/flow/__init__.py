"""SQL of `notify.flow`: circuits, rate limits, bookings, holds and caps that all workers share."""

from notify.store.flow.caps import Charge, admit, prune
from notify.store.flow.circuit_history import Change, ChangeFilter, delete_changes, find_changes
from notify.store.flow.circuits import CircuitTransition, Slice
from notify.store.flow.holds import PARTS
from notify.store.flow.limits import Seen

__all__ = [
    "PARTS",
    "Change",
    "ChangeFilter",
    "Charge",
    "CircuitTransition",
    "Seen",
    "Slice",
    "admit",
    "delete_changes",
    "find_changes",
    "prune",
]
