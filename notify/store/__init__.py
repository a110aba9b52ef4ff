"""
The record: what was asked, which calls were made, how each ended.

`Store` opens it. The SQL of each use case is in the package of the same name below: its functions
take a `Connection` and never commit. Nothing outside this package speaks SQL.
"""

from notify.store.audit import Actor, note
from notify.store.audit_search import Act, ActFilter, find_acts
from notify.store.db.probe import probe
from notify.store.delivery.cancel import cancel
from notify.store.delivery.claims import Claim, Claimed, Entry
from notify.store.delivery.records import Record
from notify.store.ids import row_of
from notify.store.ledger.contradictions import contradictions
from notify.store.prefixes import ids_beginning
from notify.store.queries import Attempt, Filter, StatusChange, Story, Summary
from notify.store.store import Store

__all__ = [
    "Act",
    "ActFilter",
    "Actor",
    "Attempt",
    "Claim",
    "Claimed",
    "Entry",
    "Filter",
    "Record",
    "StatusChange",
    "Store",
    "Story",
    "Summary",
    "cancel",
    "contradictions",
    "find_acts",
    "ids_beginning",
    "note",
    "probe",
    "row_of",
]
