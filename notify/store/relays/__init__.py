"""SQL of `notify.relays`: rows to publish, each leased to one relay at a time."""

from notify.store.relays.due import Due, lease_due, mark_due_published, release_due
from notify.store.relays.events import (
    PendingEvent,
    event_id_of,
    event_id_text,
    has_metadata,
    lease_events,
    mark_events_published,
    newest_events,
    release_events,
)
from notify.store.relays.history import (
    EventPage,
    first_event_since,
    newest_event,
    next_transaction,
    oldest_transaction,
    read_history,
    sources_between,
)
from notify.store.relays.inbox import (
    InboxEntry,
    PendingReceipts,
    add_to_inbox,
    count_inbox,
    delete_from_inbox,
    lease_inbox,
    release_inbox,
)
from notify.store.relays.refused import (
    PendingRefusal,
    lease_refused,
    mark_refused_published,
    release_refused,
)
from notify.store.relays.reports import (
    ReplayedReport,
    lease_reports,
    mark_reports_published,
    publish_again,
    release_reports,
)
from notify.store.set_back import correct_waits

__all__ = [
    "Due",
    "EventPage",
    "InboxEntry",
    "PendingEvent",
    "PendingReceipts",
    "PendingRefusal",
    "ReplayedReport",
    "add_to_inbox",
    "correct_waits",
    "count_inbox",
    "delete_from_inbox",
    "event_id_of",
    "event_id_text",
    "first_event_since",
    "has_metadata",
    "lease_due",
    "lease_events",
    "lease_inbox",
    "lease_refused",
    "lease_reports",
    "mark_due_published",
    "mark_events_published",
    "mark_refused_published",
    "mark_reports_published",
    "newest_event",
    "newest_events",
    "next_transaction",
    "oldest_transaction",
    "publish_again",
    "read_history",
    "release_due",
    "release_events",
    "release_inbox",
    "release_refused",
    "release_reports",
    "sources_between",
]
