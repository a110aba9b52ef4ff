"""Claiming a group of plans in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

import structlog

from notify.delivery.plan import Plan
from notify.errors import StoreError, StoreRefused
from notify.store import Claim, Claimed, Store
from notify.store.delivery import LEASE

log = structlog.get_logger("notify.delivery")


class Claimer:
    """
    Claims plans in the record, even if the store refuses one of them.

    Attributes:
        lease: How long a claim keeps other workers away.
    """

    lease: ClassVar[timedelta] = LEASE

    def __init__(self, store: Store, *, clock: Callable[[], datetime] | None = None) -> None:
        self._store = store
        self._clock = clock or store.clock

    def claim(self, plans: Sequence[Plan]) -> list[Claimed | None]:
        """Claim all in one transaction; None stands for a plan that cannot be stored now."""
        return self._claim(plans, self._clock())

    def _claim(self, plans: Sequence[Plan], now: datetime) -> list[Claimed | None]:
        try:
            return [*self._store.claim([plan.entry for plan in plans], now=now, lease=self.lease)]
        except StoreRefused as error:
            # One bad row fails the whole transaction: find it, and claim the others without it.
            if len(plans) > 1:
                return [answer for plan in plans for answer in self._claim([plan], now)]
            log.error("notify.refused", **plans[0].ask.notification.ids, error=str(error))
            return [Claimed(Claim.CONFLICT)]
        except StoreError as error:
            log.error("notify.store_away", waiting=len(plans), error=str(error))
            return [None] * len(plans)
