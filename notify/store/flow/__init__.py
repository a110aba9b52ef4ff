"""SQL of `notify.flow`: circuits, rate limits, bookings, holds and caps that all workers share."""

from notify.store.flow.caps import (
    Charge,
    change_cap_count,
    charge_caps,
    prune_caps,
    read_cap_use,
)
from notify.store.flow.circuit_history import (
    CircuitChange,
    CircuitChangeFilter,
    delete_circuit_changes,
    find_circuit_changes,
)
from notify.store.flow.circuits import CircuitTransition, Slice
from notify.store.flow.holds import SCOPE_PARTS, placed_by
from notify.store.flow.limits import LimitRow

__all__ = [
    "SCOPE_PARTS",
    "Charge",
    "CircuitChange",
    "CircuitChangeFilter",
    "CircuitTransition",
    "LimitRow",
    "Slice",
    "change_cap_count",
    "charge_caps",
    "delete_circuit_changes",
    "find_circuit_changes",
    "placed_by",
    "prune_caps",
    "read_cap_use",
]
