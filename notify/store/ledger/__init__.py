"""SQL of `notify.ledger`: counts over the whole record, and rows that contradict each other."""

from notify.store.ledger.balance import DeadCount
from notify.store.ledger.contradictions import (
    ORPHANS,
    Doubt,
    Fault,
    find_contradictions,
    find_orphans,
)
from notify.store.ledger.lateness import Late

__all__ = ["ORPHANS", "DeadCount", "Doubt", "Fault", "Late", "find_contradictions", "find_orphans"]
