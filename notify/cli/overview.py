"""How everything stands at one moment, read from the broker and the record for `notify status`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self

import amqp

from notify.cli.flow import circuits_view as circuits
from notify.cli.flow import limits_view as rates
from notify.doctor.standing import OverridesSnapshot
from notify.errors import ConfigError, StoreError
from notify.ledger import SHARE, LedgerSnapshot, count_record
from notify.message import Channel, Status
from notify.publisher import FAILURES, why
from notify.service import breaker_rules, check_tables, open_broker, open_store, topology_of
from notify.settings import DEAD_POOL, Settings
from notify.store.flow import holds
from notify.store.ledger import Late, lateness
from notify.topology import DEAD, Depth, depths, queue_name

PATIENCE = 3.0
"""Seconds for each question to the broker."""


@dataclass(frozen=True, slots=True)
class Now:
    """What the record tells at once, at whatever size."""

    pace: Mapping[str, float]
    """By queue: its notifications sent a second, over the last 30 seconds at most."""
    circuits: Sequence[circuits.CircuitStatus]
    limits: Sequence[rates.LimitStatus]
    standing: OverridesSnapshot
    kept: Mapping[int, int]
    """By hold: notifications set aside in the record."""
    relay: Late
    """Due, and not published by any relay."""
    lookups: Late
    """Unknown, and due to be asked about."""
    news: Late
    """Events that producers were not told yet."""


@dataclass(frozen=True, slots=True)
class Overview:
    """
    All of it; what could not be read is None, and `away` tells why.

    Attributes:
        queues: By name; None for one that is missing on the broker.
        growth: By name, messages a second that came on top since the last look.
        books: As they were when they were last counted.
    """

    at: datetime
    queues: Mapping[str, Depth | None] | None
    growth: Mapping[str, float]
    now: Now | None
    books: LedgerSnapshot | None
    away: Mapping[str, str] = field(default_factory=dict)

    @property
    def drain(self) -> Mapping[str, float]:
        """By queue, the seconds until it is empty at the pace of now, if nothing more came."""
        if self.queues is None or self.now is None:
            return {}
        return {
            name: depth.ready / self.now.pace[name]
            for name, depth in self.queues.items()
            if depth is not None and depth.ready and self.now.pace.get(name)
        }


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """The workers of one pool: how many are at its least and at its most consumed queue."""

    pool: str
    least: int
    most: int
    missing: bool
    """Whether nobody is at one of its queues, and nothing explains it."""


class StatusReader:
    """Looks again and again, by connections that it keeps. Use it as a context manager."""

    def __init__(
        self,
        settings: Settings,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open nothing yet."""
        self._settings = settings
        self._monotonic = monotonic
        self._store = open_store(settings)
        self._names = [queue.name for queue in topology_of(settings).queues]
        self._connection: amqp.Connection | None = None
        self._before: tuple[float, Mapping[str, Depth | None]] | None = None
        self._books: LedgerSnapshot | None = None
        self._count_at = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._drop()
        self._store.close()

    def look(self) -> Overview:
        """Read everything once; whatever is away costs some seconds, and nothing else."""
        away = {}
        queues = now = books = None
        growth: Mapping[str, float] = {}
        try:
            queues = self._queues()
            growth = self._growth(queues)
        except (ConfigError, *FAILURES) as error:
            self._drop()
            away["broker"] = str(error) if isinstance(error, ConfigError) else why(error)
        try:
            now, books = self._record()
        except (ConfigError, StoreError) as error:
            away["record"] = str(error)
        return Overview(self._time(), queues, growth, now, books, away)

    def _time(self) -> datetime:
        try:
            return self._store.clock()
        except StoreError:
            return datetime.now(UTC)

    def _queues(self) -> Mapping[str, Depth | None]:
        if self._connection is None:
            self._connection = open_broker(self._settings, timeout=PATIENCE)
        return depths(self._names, self._connection)

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

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        self._before = None
        if connection is not None:
            with suppress(*FAILURES):
                connection.close()

    def _record(self) -> tuple[Now, LedgerSnapshot]:
        if self._books is None:
            check_tables(self._store)
        now = self._now()
        began = self._monotonic()
        if self._books is None or began >= self._count_at:
            self._books = count_record(self._store, now=self._store.clock())
            took = self._monotonic() - began
            self._count_at = began + SHARE * took
        return now, self._books

    def _now(self) -> Now:
        at = self._store.clock()
        rules = breaker_rules(self._settings)
        looks = [circuits.look(self._store, name, rules[name]) for name in sorted(rules)]
        limits = rates.looks(self._settings, self._store, everything=False)
        standing = OverridesSnapshot.read(self._store, self._settings)
        with self._store.reading() as connection:
            return Now(
                pace={
                    queue_name(Channel(each.channel), each.lane): each.per_second
                    for each in lateness.pace(connection, now=at)
                },
                circuits=looks,
                limits=limits,
                standing=standing,
                kept=holds.count_held(connection, [each.id for each in standing.holds]),
                relay=lateness.count_overdue(connection, (Status.SCHEDULED, Status.QUEUED), now=at),
                lookups=lateness.count_overdue(connection, (Status.UNKNOWN,), now=at),
                news=lateness.count_unpublished(connection),
            )


def paused(settings: Settings, overview: Overview) -> Mapping[str, str]:
    """Tell of each queue that nobody consumes why that is meant to be, where it is."""
    if overview.queues is None or overview.now is None:
        return {}
    found = {}
    for channel in settings.channels:
        for lane in settings.lanes:
            name = queue_name(channel, lane)
            depth = overview.queues.get(name)
            if depth is None or not depth.consumers:
                found[name] = overview.now.standing.pause(settings, channel, lane)
    return {name: why for name, why in found.items() if why is not None}


def crews(settings: Settings, overview: Overview) -> Iterator[PoolStatus]:
    """Tell of each pool, and of the archive of dead letters, who is there."""
    why = paused(settings, overview)
    for name, pool in settings.pools.items():
        if pool.channel in settings.channels:
            queues = [queue_name(pool.channel, lane) for lane in pool.lanes]
            yield _crew(name, queues, overview, why)
    yield _crew(DEAD_POOL, [DEAD], overview, why)


def _crew(
    pool: str, queues: Sequence[str], overview: Overview, why: Mapping[str, str]
) -> PoolStatus:
    looked = {name: (overview.queues or {}).get(name) for name in queues}
    counts = {name: depth.consumers if depth else 0 for name, depth in looked.items()}
    missing = any(not count and name not in why for name, count in counts.items())
    return PoolStatus(pool, min(counts.values()), max(counts.values()), missing)
