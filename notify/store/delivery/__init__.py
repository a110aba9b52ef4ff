"""SQL of `notify.delivery`: claims, outcomes, failover and cancelling."""

from notify.store.delivery.cancel import BY_SOURCE, Cancelled, cancel_rows, cancel_waiting
from notify.store.delivery.claims import LEASE
from notify.store.delivery.handover import hand_over
from notify.store.delivery.records import LONGEST_CODE, LONGEST_ID
from notify.store.status_rules import LONGEST_REASON

__all__ = [
    "BY_SOURCE",
    "LEASE",
    "LONGEST_CODE",
    "LONGEST_ID",
    "LONGEST_REASON",
    "Cancelled",
    "cancel_rows",
    "cancel_waiting",
    "hand_over",
]
