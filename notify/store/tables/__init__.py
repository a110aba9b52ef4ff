"""The tables of the record, as SQLAlchemy knows them. `migrations/` builds them."""

from __future__ import annotations

from notify.store.tables.api import api_keys, api_requests
from notify.store.tables.audit import audit
from notify.store.tables.bodies import shared_bodies
from notify.store.tables.flow import (
    cap_counts,
    cap_uses,
    circuit_calls,
    circuit_changes,
    circuits,
    holds,
    limits,
)
from notify.store.tables.keys import keys, schema_floor
from notify.store.tables.kinds import UtcDateTime, metadata
from notify.store.tables.ledger import (
    checked_hours,
    checks,
    suspects,
    total_changes,
    totals,
)
from notify.store.tables.people import people, sessions
from notify.store.tables.plans import plan_items, plans
from notify.store.tables.receipts import (
    receipt_inbox,
    receipt_lookups,
    receipts,
    reputation,
    suppressions,
)
from notify.store.tables.record import attempts, dead_letters, events, notifications

__all__ = [
    "UtcDateTime",
    "api_keys",
    "api_requests",
    "attempts",
    "audit",
    "cap_counts",
    "cap_uses",
    "checked_hours",
    "checks",
    "circuit_calls",
    "circuit_changes",
    "circuits",
    "dead_letters",
    "events",
    "holds",
    "keys",
    "limits",
    "metadata",
    "notifications",
    "people",
    "plan_items",
    "plans",
    "receipt_inbox",
    "receipt_lookups",
    "receipts",
    "reputation",
    "schema_floor",
    "sessions",
    "shared_bodies",
    "suppressions",
    "suspects",
    "total_changes",
    "totals",
]
