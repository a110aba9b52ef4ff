"""SQL of `notify.ledger`: counts over the whole record, and rows that contradict each other."""

from notify.store.ledger.balance import Count, Dead
from notify.store.ledger.contradictions import Doubt, Fault
from notify.store.ledger.lately import Late

__all__ = ["Count", "Dead", "Doubt", "Fault", "Late"]
