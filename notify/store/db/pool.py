"""The pool of database connections of one process."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

IDLE = 2
"""Connections that stay open while they are not used."""
OFTEN, SPAN = 5, 1.0
"""More stay open while they were needed so many times within so many seconds."""


class LeanPool(QueuePool):
    """
    Closes connections that are not needed any more: a fleet's idle workers would use them all up.

    A connection that is returned is closed if more than `IDLE` are open, unless more were needed
    often in the last second: to open one costs more than the statements of a batch.
    """

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **{**named, "use_lifo": True})
        self._needed: deque[float] = deque(maxlen=OFTEN)

    def _do_get(self) -> ConnectionPoolEntry:
        if self.checkedout() >= IDLE:
            self._needed.append(time.monotonic())
        return super()._do_get()

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        if self.checkedin() + self.checkedout() <= IDLE or self._busy():
            super()._do_return_conn(record)
            return
        try:
            record.close()
        finally:
            self._dec_overflow()

    def _busy(self) -> bool:
        needed = self._needed
        return len(needed) == OFTEN and time.monotonic() - needed[0] < SPAN
