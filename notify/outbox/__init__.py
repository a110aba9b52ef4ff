"""
A producer's transactional outbox: the request is committed with the producer's data, or not at all.

The table is in the producer's own database. `Outbox.put` writes a request in the producer's own
transaction. An `OutboxRelay`, in any process, publishes committed requests and deletes them once
they are confirmed. A crash in between publishes a request again under the same id: it is sent once.
"""

from __future__ import annotations

from notify.outbox.outbox import Outbox, outbox_row
from notify.outbox.relay import OutboxRelay
from notify.outbox.table import outbox_table

__all__ = ["Outbox", "OutboxRelay", "outbox_row", "outbox_table"]
