"""
Publishing rows of the record to RabbitMQ: due notifications, events, and stored receipts.

`Announcer` publishes this process's own events from memory. `Relay` publishes from the record;
`DueRows`, `EventRows`, `RefusedRows`, `InboxRows` and `ReportRows` say which rows and how. Not
here: SQL (`store.relays`), and threads (`service.relays`).
"""

from notify.relays.announcer import Announcer
from notify.relays.due import DueRows, relay_and_repair
from notify.relays.events import EventRows
from notify.relays.inbox import InboxRows
from notify.relays.own_events import OwnEvents
from notify.relays.refused import RefusedRows
from notify.relays.relay import BATCH_SIZE, Relay, RelayedRows
from notify.relays.reports import ReportRows
from notify.relays.set_back import SetBackRepair

__all__ = [
    "BATCH_SIZE",
    "Announcer",
    "DueRows",
    "EventRows",
    "InboxRows",
    "OwnEvents",
    "RefusedRows",
    "Relay",
    "RelayedRows",
    "ReportRows",
    "SetBackRepair",
    "relay_and_repair",
]
