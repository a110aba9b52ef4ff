"""Metrics of the whole record, exported by the process of the dead letters.

Every worker would export the same values at the cost of the same queries, so one process does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import product

from notify.ledger.ledger import TERMS, Ledger, count_ledger
from notify.message import Channel, Status
from notify.store import Store
from notify.store.deadletters import Cause, LetterFilter, LetterState, count_letters
from notify.store.ledger import Late, lateness
from notify.store.suppression import SuppressionReason, count_in_effect
from notify.telemetry.metrics import Metrics, Reading, catalog

PERIOD = 10.0
"""Seconds between two reads of what is late, which cost one look at an index each."""
SHARE = 20
"""A count of the whole record is repeated after at least so many times the time that it took."""


@dataclass(frozen=True, slots=True)
class LedgerSnapshot:
    """The numbers that need a count of the whole record: the larger it is, the longer it takes."""

    ledger: Ledger
    dead: Mapping[Cause, int]
    """Dead letters that wait in the archive for an operator."""
    suppressions: Mapping[tuple[Channel, SuppressionReason], int]
    """Entries of the suppression list in effect."""


def count_record(store: Store, *, now: datetime) -> LedgerSnapshot:
    """
    Count the whole record.

    Raises:
        StoreError: It cannot be read.
    """
    ledger = count_ledger(store, now=now)
    with store.reading() as connection:
        return LedgerSnapshot(
            ledger,
            count_letters(connection, LetterFilter(state=LetterState.WAITING)),
            count_in_effect(connection, now=now),
        )


class RecordMetrics:
    """
    Reads and counts the whole record for Prometheus.

    `refresh` is called every `PERIOD` seconds; Prometheus reads the last values.
    """

    def __init__(
        self,
        store: Store,
        metrics: Metrics,
        *,
        clock: Callable[[], datetime] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._clock = clock or store.clock
        self._monotonic = monotonic
        self._late: Mapping[str, Late] = {}
        self._snapshot: LedgerSnapshot | None = None
        self._count_at = -SHARE * PERIOD
        metrics.watch(catalog.LATE, self._lateness)
        metrics.watch(catalog.LATE_OLDEST, self._oldest_late)
        metrics.watch(catalog.RECORDED, self._recorded)
        metrics.watch(catalog.OLDEST, self._oldest)
        metrics.watch(catalog.DIFFERENCE, self._difference)
        metrics.watch(catalog.DEAD_WAITING, self._waiting)
        metrics.watch(catalog.SUPPRESSIONS, self._suppressions)

    def refresh(self) -> None:
        """
        Read what is late; count the record, unless the last count was too expensive to repeat yet.

        Raises:
            StoreError: The record cannot be read; the metrics keep their last values.
        """
        now = self._clock()
        with self._store.reading() as connection:
            self._late = {
                "relay": lateness.count_overdue(
                    connection, (Status.SCHEDULED, Status.QUEUED), now=now
                ),
                "lookups": lateness.count_overdue(connection, (Status.UNKNOWN,), now=now),
                "events": lateness.count_unpublished(connection),
            }
        began = self._monotonic()
        if began >= self._count_at:
            self._snapshot = count_record(self._store, now=now)
            self._count_at = began + SHARE * (self._monotonic() - began)

    def _lateness(self) -> Iterator[Reading]:
        for work, late in self._late.items():
            yield (work,), float(late.count)

    def _oldest_late(self) -> Iterator[Reading]:
        for work, late in self._late.items():
            yield (work,), self._age(late.oldest)

    def _recorded(self) -> Iterator[Reading]:
        for line in self._snapshot.ledger.lines if self._snapshot else ():
            for term in TERMS:
                labels = (line.channel or "", line.lane or "", term.replace(" ", "_"))
                yield labels, float(line.terms.get(term, 0))

    def _oldest(self) -> Iterator[Reading]:
        for line in self._snapshot.ledger.lines if self._snapshot else ():
            if line.channel is not None:
                yield (line.channel, line.lane or ""), self._age(line.oldest)

    def _difference(self) -> Iterator[Reading]:
        if self._snapshot is not None:
            yield (), float(self._snapshot.ledger.difference)

    def _waiting(self) -> Iterator[Reading]:
        if self._snapshot is not None:
            for cause in Cause:
                yield (str(cause),), float(self._snapshot.dead.get(cause, 0))

    def _suppressions(self) -> Iterator[Reading]:
        if self._snapshot is not None:
            for channel, reason in product(Channel, SuppressionReason):
                count = self._snapshot.suppressions.get((channel, reason), 0)
                yield (channel, reason), float(count)

    def _age(self, since: datetime | None) -> float:
        return max(0.0, (self._clock() - since).total_seconds()) if since else 0.0
