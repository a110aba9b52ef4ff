"""
A producer's outbox: the request is written with the order it speaks of, or not at all.

The table stands in the producer's own database. `Outbox.put` writes a request in the producer's own
transaction; an `OutboxRelay`, in whatever process, publishes what was committed, confirmed, and
deletes it. A crash in between publishes it again, under the same id, and it is sent once.
"""

from __future__ import annotations

from notify.outbox.outbox import Outbox, outbox_row
from notify.outbox.relay import OutboxRelay
from notify.outbox.table import outbox_table

__all__ = ["Outbox", "OutboxRelay", "outbox_row", "outbox_table"]
