"""SQL of `notify.relays`: rows that wait to be published, leased by one relay at a time."""

from notify.store.relays.due import Due, take_due
from notify.store.relays.events import PendingEvent, newest, take_events
from notify.store.relays.refused import (
    PendingRefusal,
    refused_published,
    release_refused,
    take_refused,
)

__all__ = [
    "Due",
    "PendingEvent",
    "PendingRefusal",
    "newest",
    "refused_published",
    "release_refused",
    "take_due",
    "take_events",
    "take_refused",
]
