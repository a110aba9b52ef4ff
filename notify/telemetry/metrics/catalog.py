"""Every metric of the service; docs/metrics.md says how to use each."""

from __future__ import annotations

from notify.telemetry.metrics.answers import API_ANSWERS, RECEIPTS_ANSWERS
from notify.telemetry.metrics.family import CALLS, OBJECTIVE, WAITS, Family, MetricType

__all__ = ["API_ANSWERS", "FAMILIES", "OBJECTIVE", "RECEIPTS_ANSWERS", "Family", "MetricType"]

_LANE = ("channel", "lane")

ACCEPTED = Family(
    "notify_accepted_total",
    MetricType.COUNTED,
    "Notifications new on record, one a recipient.",
    _LANE,
)
DUPLICATES = Family(
    "notify_duplicates_total",
    MetricType.COUNTED,
    "Messages whose request is on record already; nothing was sent again.",
    _LANE,
)
CONFLICTS = Family(
    "notify_conflicts_total",
    MetricType.COUNTED,
    "Messages whose key or id belongs to another request.",
    _LANE,
)
DEFERRED = Family(
    "notify_deferred_total",
    MetricType.COUNTED,
    "Times that flow control or a hold deferred a notification; not an attempt.",
    _LANE,
)
ENDED = Family(
    "notify_ended_total",
    MetricType.COUNTED,
    "Notifications by their final status.",
    (*_LANE, "status"),
)
POSSIBLE_DUPLICATES = Family(
    "notify_possible_duplicates_total",
    MetricType.COUNTED,
    "Notifications to be sent again although a call of unknown outcome may have sent them.",
    _LANE,
)
ATTEMPTS = Family(
    "notify_attempts_total",
    MetricType.COUNTED,
    "Calls to providers by outcome, as on record, and verdict, as the retry rules classify it.",
    ("provider", "outcome", "verdict"),
)
CALL = Family(
    "notify_call_seconds",
    MetricType.DURATION,
    "How long calls to providers took.",
    ("provider",),
    CALLS,
)
QUEUED = Family(
    "notify_queued_seconds",
    MetricType.DURATION,
    "From publishing a message to its claim by a worker.",
    _LANE,
    WAITS,
)
DELIVERY = Family(
    "notify_delivery_seconds",
    MetricType.DURATION,
    "From publishing a message to the provider's acceptance.",
    _LANE,
    WAITS,
)
DEAD_LETTERS = Family(
    "notify_dead_letters_total",
    MetricType.COUNTED,
    "Messages archived as dead letters.",
    ("cause",),
)
REFUSED_EVENTS_DROPPED = Family(
    "notify_refused_events_dropped_total",
    MetricType.COUNTED,
    "Refused messages whose source gets no event.",
    ("why",),
)

RECEIPTS = Family(
    "notify_receipts_total",
    MetricType.COUNTED,
    "Vendors' receipts by event and verdict; the intake and the receipt workers count in turn.",
    ("provider", "event", "verdict"),
)
RECEIPT_LAG = Family(
    "notify_receipt_lag_seconds",
    MetricType.DURATION,
    "Time from a receipt's event, by the vendor's clock, to a stage: intake or applied.",
    ("provider", "stage"),
    buckets=WAITS,
)
FEEDBACK = Family(
    "notify_feedback_total",
    MetricType.COUNTED,
    "Producers' feedback by template and, for SMS, the country of the number.",
    ("channel", "template", "country", "outcome"),
)
RECEIPTS_INBOX = Family(
    "notify_receipts_inbox_total",
    MetricType.COUNTED,
    "Messages of receipts that went to the record's inbox, since the broker was away.",
)
RECEIPTS_WAITING = Family(
    "notify_receipts_inbox_waiting",
    MetricType.READ,
    "Messages of receipts that wait in the record's inbox for the broker.",
)
WORKER = Family(
    "notify_worker_info",
    MetricType.READ,
    "1, for the pool and version of this process.",
    ("pool", "version"),
)
READY = Family("notify_worker_ready", MetricType.READ, "1 while /readyz says ok, else 0.")
UNACKNOWLEDGED = Family(
    "notify_unacknowledged", MetricType.READ, "Messages received and not acknowledged or rejected."
)
SETTLED = Family(
    "notify_settled_total", MetricType.READ_COUNT, "Messages acknowledged or rejected."
)
CALLS_IN_FLIGHT = Family(
    "notify_calls_in_flight", MetricType.READ, "Calls to providers in flight.", ("lane",)
)
CALLS_MOST = Family(
    "notify_calls_in_flight_most",
    MetricType.READ,
    "Most calls that may be in flight at once.",
    ("lane",),
)
CIRCUIT = Family(
    "notify_circuit_state",
    MetricType.READ,
    "1 for the state that a provider's circuit is in, 0 for the others.",
    ("provider", "state"),
)
LIMIT_RATE = Family(
    "notify_limit_rate",
    MetricType.READ,
    "Units a second that a limit allows the whole fleet now.",
    ("limit",),
)
LIMIT_UNITS = Family(
    "notify_limit_units_total",
    MetricType.READ_COUNT,
    "Units of a limit that were used.",
    ("limit",),
)
LIMIT_WAITS = Family(
    "notify_limit_waits_total",
    MetricType.READ_COUNT,
    "Times that a limit granted less than was requested at once.",
    ("limit",),
)
QUEUE_MESSAGES = Family(
    "notify_queue_messages", MetricType.READ, "Messages that wait in a queue.", ("queue",)
)
QUEUE_CONSUMERS = Family(
    "notify_queue_consumers", MetricType.READ, "Consumers of a queue.", ("queue",)
)
QUEUE_OLDEST = Family(
    "notify_queue_oldest_seconds",
    MetricType.READ,
    "Upper bound of the age of a queue's oldest message.",
    ("queue",),
)
QUEUE_DRAIN = Family(
    "notify_queue_drain_seconds",
    MetricType.READ,
    "Time until a queue is empty at the rate of the last minute; infinity if it grows.",
    ("queue",),
)
BROKER_UP = Family("notify_broker_up", MetricType.READ, "Whether the broker answers this process.")
RECORD_UP = Family("notify_record_up", MetricType.READ, "Whether the record answers this process.")
RECORD_BEHIND = Family(
    "notify_record_behind",
    MetricType.READ,
    "Whether everything is held because the record lacks commits.",
)
HOST_AHEAD = Family(
    "notify_host_clock_ahead_seconds",
    MetricType.READ,
    "How far this host's clock is ahead of the database's; negative if it is behind.",
)

SUPPRESSED_SENDS = Family(
    "notify_suppressed_sends_total",
    MetricType.COUNTED,
    "Messages that the suppression list stopped.",
    ("channel", "lane", "reason"),
)
SUPPRESSIONS = Family(
    "notify_suppressions",
    MetricType.READ,
    "Entries of the suppression list that are in effect.",
    ("channel", "reason"),
)
REPUTATION = Family(
    "notify_reputation_share",
    MetricType.READ,
    "Share of a source's emails through a provider that bounced, or that recipients reported.",
    ("source", "provider", "kind"),
)
LATE = Family(
    "notify_late",
    MetricType.READ,
    "Overdue rows of the record: for the relay, for look-ups, and as events.",
    ("work",),
)
LATE_OLDEST = Family(
    "notify_late_oldest_seconds", MetricType.READ, "How overdue the first of these is.", ("work",)
)
RECORDED = Family(
    "notify_record_notifications",
    MetricType.READ,
    "Notifications on record by the ledger's terms.",
    (*_LANE, "term"),
)
OLDEST = Family(
    "notify_record_oldest_seconds",
    MetricType.READ,
    "Age of the oldest notification that is queued or being sent.",
    _LANE,
)
DIFFERENCE = Family(
    "notify_ledger_difference",
    MetricType.READ,
    "Accepted notifications that are in none of the ledger's terms.",
)
DEAD_WAITING = Family(
    "notify_dead_letters_waiting",
    MetricType.READ,
    "Dead letters that wait in the archive for an operator.",
    ("cause",),
)

PLAN_ITEMS = Family(
    "notify_plan_items_total",
    MetricType.COUNTED,
    "Items of bulk plans by action and result.",
    ("action", "result"),
)

FAMILIES = tuple(each for each in vars().copy().values() if isinstance(each, Family))
"""Every family."""
