"""
Threads that publish what the record holds to RabbitMQ: due notifications, and producers' events.

The SQL that takes and marks the rows is in `store.relays`.
"""

from notify.relays.due import Relay
from notify.relays.events import BATCH_SIZE, EventRelay

__all__ = ["BATCH_SIZE", "EventRelay", "Relay"]
