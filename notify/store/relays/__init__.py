"""SQL of `notify.relays`: rows that wait to be published, leased by one relay at a time."""

from notify.store.relays.due import Due, lease_due, mark_due_published, release_due
from notify.store.relays.events import (
    PendingEvent,
    lease_events,
    mark_events_published,
    newest_events,
    release_events,
)
from notify.store.relays.refused import (
    PendingRefusal,
    lease_refused,
    mark_refused_published,
    release_refused,
)

__all__ = [
    "Due",
    "PendingEvent",
    "PendingRefusal",
    "lease_due",
    "lease_events",
    "lease_refused",
    "mark_due_published",
    "mark_events_published",
    "mark_refused_published",
    "newest_events",
    "release_due",
    "release_events",
    "release_refused",
]
