"""Look-ups where no receipt comes: the vendor is asked for the status of a message."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from notify.errors import PermanentError, ProviderError
from notify.gateway import ConfiguredProvider, Gateway
from notify.receipts.application_metrics import ApplicationMetrics
from notify.receipts.applier import ReceiptApplier
from notify.receipts.received import ReceivedReceipt
from notify.store import Store
from notify.store.receipts import (
    LookupCursor,
    UnreportedCall,
    lease_cursor,
    move_cursor,
    read_unreported,
)

LEASE = timedelta(seconds=60)
"""The lease of a cursor: after it, another process may continue."""
LONGEST_STEP = timedelta(seconds=30)
"""The time in which one step begins its look-ups, well within the lease."""
LATER = (timedelta(hours=2), timedelta(hours=6), timedelta(hours=24))
"""The ages at which a message without a receipt is looked up again."""

log = structlog.get_logger("notify.receipts")


class ReceiptTracker:
    """
    Queries the vendor about one channel's messages that are `sent` without a receipt.

    The answers are applied as receipts; one that a callback brings as well counts once.
    """

    def __init__(
        self,
        store: Store,
        gateway: Gateway,
        applier: ReceiptApplier,
        *,
        metrics: ApplicationMetrics,
        after: timedelta,
        rate: float,
        clock: Callable[[], datetime] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """
        Create a tracker; `step` runs it once.

        Args:
            after: The age at which a message is looked up first.
            rate: Look-ups a second at one provider, of all processes together.
        """
        self._store = store
        self._lines = [each for each in gateway.providers if each.can_track]
        self._applier = applier
        self._metrics = metrics
        self._ages = [after, *(age for age in LATER if age > after)]
        self._pause = 1 / rate
        self._clock = clock or store.clock
        self._sleep = sleep

    def step(self) -> bool:
        """
        Query the next messages of each provider; return whether more may be due.

        Raises:
            StoreError: The record cannot be used.
        """
        # Each turn leases the cursor that waited longest.
        more = [self._continue(line) for line in self._lines for _ in self._ages]
        return any(more)

    def _continue(self, line: ConfiguredProvider) -> bool:
        with self._store.writing() as connection:
            now = self._clock()
            cursor = lease_cursor(
                connection, line.name, steps=len(self._ages), now=now, lease=LEASE
            )
            if cursor is None:
                return False
            before = now - self._ages[cursor.step]
            calls, end = read_unreported(connection, cursor, before=before)
        asked, received = self._look_up(line, calls)
        whole = asked == len(calls)
        last = end if whole else max(cursor.event_id, calls[asked].event_id - 1)
        self._apply(cursor, received, event_id=last, free=whole)
        return whole and end > cursor.event_id

    def _apply(
        self,
        cursor: LookupCursor,
        received: Sequence[ReceivedReceipt],
        *,
        event_id: int,
        free: bool,
    ) -> None:
        with self._store.writing() as connection:
            now = self._clock()
            applied = self._applier.apply(connection, received, now=now) if received else []
            move_cursor(connection, cursor, event_id=event_id, now=now, free=free)
        self._metrics.applied(applied, now=now)

    def _look_up(
        self, line: ConfiguredProvider, calls: Sequence[UnreportedCall]
    ) -> tuple[int, list[ReceivedReceipt]]:
        """Return how many calls were looked up, and what the vendor reports about them."""
        received: list[ReceivedReceipt] = []
        end = self._clock() + LONGEST_STEP
        for number, call in enumerate(calls):
            if self._clock() > end:
                return number, received
            if number:
                self._sleep(self._pause)
            try:
                received += self._receipts(line, call)
            except PermanentError:
                # The vendor has it no more; the next ages ask again at most twice.
                continue
            except ProviderError as error:
                log.warning(
                    "notify.receipt_lookup_failed",
                    provider=line.name,
                    id=str(call.notification_id),
                    attempt_id=str(call.attempt_id),
                    reason=str(error),
                )
                return number, received
            except Exception as error:  # noqa: BLE001 - a fault in a provider must not end the thread
                # The error's text could hold anything, so only its kind is logged.
                log.error(
                    "notify.provider_fault",
                    provider=line.name,
                    id=str(call.notification_id),
                    error_kind=type(error).__name__,
                )
        return len(calls), received

    def _receipts(
        self, line: ConfiguredProvider, call: UnreportedCall
    ) -> Iterator[ReceivedReceipt]:
        for receipt in line.track(call.provider_id):
            about = replace(
                receipt, attempt_id=call.attempt_id, notification_id=call.notification_id
            )
            yield ReceivedReceipt(about, line.name, self._clock())
