"""SQL of `notify.ledger`: counts over the whole record, and rows that contradict each other."""

from notify.store.ledger.balance import DeadCount
from notify.store.ledger.contradictions import Doubt, Fault, find_contradictions
from notify.store.ledger.lateness import Late

__all__ = ["DeadCount", "Doubt", "Fault", "Late", "find_contradictions"]
