"""
The record: notifications, their calls and events, dead letters, and the state of flow control.

`Store` opens it. The SQL of `notify.X` is in `store.X`: functions that use the caller's
`Connection` and never commit. Every change of a status goes through `transitions`. No SQL belongs
outside this package, except in the outbox.
"""

from notify.store.audit import Actor, write_audit
from notify.store.audit_search import Act, ActFilter, find_acts
from notify.store.delivery.claims import Claim, Claimed, Entry
from notify.store.delivery.records import Record
from notify.store.ids import row_of
from notify.store.listing import find_ids
from notify.store.prefixes import ids_with_prefix
from notify.store.queries import (
    Filter,
    RecordedAttempt,
    RecordedReceipt,
    StatusChange,
    Story,
    Summary,
)
from notify.store.store import Store

__all__ = [
    "Act",
    "ActFilter",
    "Actor",
    "Claim",
    "Claimed",
    "Entry",
    "Filter",
    "Record",
    "RecordedAttempt",
    "RecordedReceipt",
    "StatusChange",
    "Store",
    "Story",
    "Summary",
    "find_acts",
    "find_ids",
    "ids_with_prefix",
    "row_of",
    "write_audit",
]
