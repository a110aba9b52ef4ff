"""Reading the overview again and again, over connections that stay open."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Self

from notify.errors import ConfigError, StoreError
from notify.ledger import SHARE, LedgerSnapshot, count_record
from notify.message import Channel, Status
from notify.publisher import FAILURES, why
from notify.service.broker import open_broker, topology_of
from notify.service.flow import breaker_rules
from notify.service.record import check_tables, open_store
from notify.settings import Settings
from notify.status.circuits import read_circuits
from notify.status.holds import read_holds
from notify.status.limits import read_limits
from notify.status.overrides import OverridesSnapshot
from notify.status.overview import Overview, RecordStatus
from notify.store import Store
from notify.store.ledger import lateness
from notify.topology import Depth, QueueWatch, queue_name

PATIENCE = 3.0
"""Seconds for each question to the broker."""


class StatusReader:
    """
    Reads the overview, as often as it is asked. A context manager; not safe among threads.

    Counting through the record is slow: it is repeated after `SHARE` times the time that it took,
    and the ledger of the last count is reported until then.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        store: Store | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read from *store*, which the caller closes; from a store of its own, if it is None."""
        self._settings = settings
        self._monotonic = monotonic
        self._shared = store is not None
        self._store = store or open_store(settings)
        names = [queue.name for queue in topology_of(settings).queues]
        self._queues = QueueWatch(names, connect=partial(open_broker, settings, timeout=PATIENCE))
        self._before: tuple[float, Mapping[str, Depth | None]] | None = None
        self._ledger: LedgerSnapshot | None = None
        self._count_at = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._queues.close()
        if not self._shared:
            self._store.close()

    def read(self) -> Overview:
        """Read everything once; a part that is away costs some seconds and does not raise."""
        unreadable = {}
        queues = record = ledger = None
        growth: Mapping[str, float] = {}
        try:
            queues = self._queues.depths()
            growth = self._growth(queues)
        except (ConfigError, *FAILURES) as error:
            self._before = None
            unreadable["broker"] = str(error) if isinstance(error, ConfigError) else why(error)
        try:
            record, ledger = self._record()
        except (ConfigError, StoreError) as error:
            unreadable["record"] = str(error)
        return Overview(
            settings=self._settings,
            at=self._time(),
            queues=queues,
            growth=growth,
            record=record,
            ledger=ledger,
            unreadable=unreadable,
        )

    def _time(self) -> datetime:
        try:
            return self._store.clock()
        except StoreError:
            return datetime.now(UTC)

    def _growth(self, queues: Mapping[str, Depth | None]) -> Mapping[str, float]:
        at, before = self._monotonic(), self._before
        self._before = (at, queues)
        if before is None:
            return {}
        seconds = max(at - before[0], 0.1)
        return {
            name: (depth.ready - was.ready) / seconds
            for name, depth in queues.items()
            if depth is not None and (was := before[1].get(name)) is not None
        }

    def _record(self) -> tuple[RecordStatus, LedgerSnapshot]:
        if self._ledger is None:
            check_tables(self._store)
        record = self._status()
        began = self._monotonic()
        if self._ledger is None or began >= self._count_at:
            self._ledger = count_record(self._store, now=self._store.clock())
            took = self._monotonic() - began
            self._count_at = began + SHARE * took
        return record, self._ledger

    def _status(self) -> RecordStatus:
        with self._store.reads.together():
            return self._parts()

    def _parts(self) -> RecordStatus:
        settings, store = self._settings, self._store
        at = store.clock()
        circuits = read_circuits(store, breaker_rules(settings))
        limits = read_limits(settings, store, everything=False)
        holds = read_holds(store)
        overrides = OverridesSnapshot.read(store, settings)
        with store.reading() as connection:
            return RecordStatus(
                pace={
                    queue_name(Channel(each.channel), each.lane): each.per_second
                    for each in lateness.read_pace(connection, now=at)
                },
                circuits=circuits,
                limits=limits,
                holds=holds,
                overrides=overrides,
                relay=lateness.count_overdue(connection, (Status.SCHEDULED, Status.QUEUED), now=at),
                lookups=lateness.count_overdue(connection, (Status.UNKNOWN,), now=at),
                events=lateness.count_unpublished(connection),
            )
