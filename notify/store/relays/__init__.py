"""SQL of `notify.relays`: rows that wait to be published, leased by one relay at a time."""

from notify.store.relays.due import Due, lease_due
from notify.store.relays.events import PendingEvent, lease_events, newest_events
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
    "mark_refused_published",
    "newest_events",
    "release_refused",
]
