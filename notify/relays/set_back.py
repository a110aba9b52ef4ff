"""Repairing the record's times after the database's clock was set back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog

from notify.relays.relay import BATCH_SIZE
from notify.store import Store
from notify.store.relays import correct_waits

log = structlog.get_logger("notify.relay")


class SetBackRepair:
    """Shortens waits that would last longer because the database's clock was set back."""

    def __init__(self, store: Store, *, clock: Callable[[], datetime] | None = None) -> None:
        self._store = store
        self._clock = clock or store.clock
        # How many set-backs of the database's clock are repaired; None before the first repair.
        self._repaired: int | None = None

    def repair(self) -> None:
        """
        Repair the record at the first call, and after each set-back that the clock has noticed.

        Raises:
            StoreError: The record cannot be used; the next call repairs it.
        """
        now, set_backs = self._clock(), self._store.clock.set_backs
        if set_backs == self._repaired:
            return
        count = BATCH_SIZE
        while count >= BATCH_SIZE:
            with self._store.writing() as connection:
                count = correct_waits(connection, now=now, limit=BATCH_SIZE)
            if count:
                log.warning("notify.clock_set_back", count=count)
        self._repaired = set_backs
