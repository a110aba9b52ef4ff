"""Claiming a group of entries in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

import structlog

from notify.errors import StoreError, StoreRefused
from notify.store import Claim, Claimed, Entry, Store
from notify.store.delivery import LEASE

log = structlog.get_logger("notify.delivery")


class Claimer:
    """
    Claims entries in the record, even if the store refuses one of them.

    Attributes:
        lease: How long a claim keeps other workers away.
    """

    lease: ClassVar[timedelta] = LEASE

    def __init__(self, store: Store, *, clock: Callable[[], datetime] | None = None) -> None:
        self._store = store
        self._clock = clock or store.clock

    def claim(self, entries: Sequence[Entry]) -> list[Claimed | None]:
        """Claim all in one transaction; None for an entry that cannot be stored now."""
        return self._claim(entries, self._clock())

    def _claim(self, entries: Sequence[Entry], now: datetime) -> list[Claimed | None]:
        try:
            return [*self._store.claim(entries, now=now, lease=self.lease)]
        except StoreRefused as error:
            # One bad row fails the whole transaction: find it, and claim the others without it.
            if len(entries) > 1:
                return [claimed for entry in entries for claimed in self._claim([entry], now)]
            log.error("notify.refused", **entries[0].notification.ids, error=str(error))
            return [Claimed(Claim.CONFLICT)]
        except StoreError as error:
            log.error("notify.store_away", waiting=len(entries), error=str(error))
            return [None] * len(entries)
