"""The census: what the whole record holds, told to Prometheus by the process of dead letters.

Every worker would tell the same, and would ask the database for it; so one process does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from notify.ledger.ledger import TERMS, Ledger, count_ledger
from notify.message import Status
from notify.periodic import PeriodicThread
from notify.store import Store
from notify.store.deadletters import Cause, LetterState, search
from notify.store.ledger import Late, lateness
from notify.telemetry.metrics import Metrics, Reading, catalog

PERIOD = 10.0
"""Seconds between two looks at what is late, which an index tells at once."""
SHARE = 20
"""What is counted through is counted again after so many times what it took, at least."""


@dataclass(frozen=True, slots=True)
class LedgerSnapshot:
    """What is counted through: it takes longer the more is on record."""

    ledger: Ledger
    dead: Mapping[Cause, int]
    """Dead letters that wait in the archive for an operator."""


def count_record(store: Store, *, now: datetime) -> LedgerSnapshot:
    """
    Count the whole record.

    Raises:
        StoreError: It cannot be read.
    """
    ledger = count_ledger(store, now=now)
    with store.reading() as connection:
        return LedgerSnapshot(
            ledger, search.count_letters(connection, search.LetterFilter(state=LetterState.WAITING))
        )


class RecordMetrics:
    """Looks at the whole record again and again, in a thread of its own."""

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
        self._books: LedgerSnapshot | None = None
        self._count_at = -SHARE * PERIOD
        self._looking = PeriodicThread("census", self.look)
        metrics.watch(catalog.LATE, self._lateness)
        metrics.watch(catalog.LATE_OLDEST, self._oldest_late)
        metrics.watch(catalog.RECORDED, self._recorded)
        metrics.watch(catalog.OLDEST, self._oldest)
        metrics.watch(catalog.DIFFERENCE, self._difference)
        metrics.watch(catalog.DEAD_WAITING, self._waiting)

    def start(self) -> None:
        """Begin to look."""
        self._looking.start()

    def stop(self, *, timeout: float) -> None:
        """Finish the look in hand, for *timeout* seconds at most."""
        self._looking.stop(timeout=timeout)

    def look(self) -> float:
        """
        Look once; give the seconds until the next look.

        Raises:
            StoreError: The record cannot be read; what was seen last is told on.
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
            self._books = count_record(self._store, now=now)
            self._count_at = began + SHARE * (self._monotonic() - began)
        return PERIOD

    def _lateness(self) -> Iterator[Reading]:
        for work, late in self._late.items():
            yield (work,), float(late.count)

    def _oldest_late(self) -> Iterator[Reading]:
        for work, late in self._late.items():
            yield (work,), self._age(late.oldest)

    def _recorded(self) -> Iterator[Reading]:
        for line in self._books.ledger.lines if self._books else ():
            for term in TERMS:
                labels = (line.channel or "", line.lane or "", term.replace(" ", "_"))
                yield labels, float(line.terms.get(term, 0))

    def _oldest(self) -> Iterator[Reading]:
        for line in self._books.ledger.lines if self._books else ():
            if line.channel is not None:
                yield (line.channel, line.lane or ""), self._age(line.oldest)

    def _difference(self) -> Iterator[Reading]:
        if self._books is not None:
            yield (), float(self._books.ledger.difference)

    def _waiting(self) -> Iterator[Reading]:
        if self._books is not None:
            for cause in Cause:
                yield (str(cause),), float(self._books.dead.get(cause, 0))

    def _age(self, since: datetime | None) -> float:
        return max(0.0, (self._clock() - since).total_seconds()) if since else 0.0
