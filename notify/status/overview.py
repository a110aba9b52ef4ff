"""The state of the whole service at one moment: workers, queues, providers, limits, the record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from notify.ledger import LedgerSnapshot
from notify.settings import DEAD_POOL, RECEIPTS_POOL, Settings
from notify.status.circuits import CircuitStatus
from notify.status.holds import HoldStatus
from notify.status.ledger import ledger_as_json
from notify.status.limits import LimitStatus
from notify.status.overrides import OverridesSnapshot
from notify.store.ledger import Late
from notify.topology import DEAD, FEEDBACK, RECEIPTS, Depth, queue_name


@dataclass(frozen=True, slots=True)
class RecordStatus:
    """The part of the overview that is quick to read, however large the record is."""

    pace: Mapping[str, float]
    """By queue: notifications sent a second, over the last 30 seconds at most."""
    circuits: Sequence[CircuitStatus]
    limits: Sequence[LimitStatus]
    holds: Sequence[HoldStatus]
    overrides: OverridesSnapshot
    relay: Late
    """Due, and not published by any relay yet."""
    lookups: Late
    """Outcomes that are unknown and due for a look-up."""
    events: Late
    """Events that are not published to producers yet."""


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """The workers of one pool: the consumers of its least and of its most consumed queue."""

    pool: str
    least: int
    most: int
    missing: bool
    """Whether one of its queues has no consumer, and no hold, circuit or limit explains it."""

    def as_json(self) -> dict[str, Any]:
        """Return the pool in JSON's types, without its name."""
        return {"least": self.least, "most": self.most, "missing": self.missing}


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """
    Everything that `notify status` shows; a part that could not be read is None.

    Attributes:
        settings: The configuration that the parts are compared with.
        queues: By name; None for a queue that is missing on the broker.
        growth: By queue, its growth in messages a second since the previous read.
        ledger: As of the last count; see `StatusReader`.
        unreadable: By part, `broker` or `record`: why it could not be read.
    """

    settings: Settings
    at: datetime
    queues: Mapping[str, Depth | None] | None
    growth: Mapping[str, float]
    record: RecordStatus | None
    ledger: LedgerSnapshot | None
    unreadable: Mapping[str, str] = field(default_factory=dict)

    @property
    def drain(self) -> Mapping[str, float]:
        """By queue, the seconds until it is empty at the present pace, if nothing more arrives."""
        if self.queues is None or self.record is None:
            return {}
        return {
            name: depth.ready / self.record.pace[name]
            for name, depth in self.queues.items()
            if depth is not None and depth.ready and self.record.pace.get(name)
        }

    @property
    def paused(self) -> Mapping[str, str]:
        """By queue without a consumer, the hold, circuits or limits that explain it."""
        if self.queues is None or self.record is None:
            return {}
        reasons = {}
        for channel in self.settings.channels:
            for lane in self.settings.lanes:
                name = queue_name(channel, lane)
                depth = self.queues.get(name)
                if depth is None or not depth.consumers:
                    reasons[name] = self.record.overrides.pause(self.settings, channel, lane)
        return {name: why for name, why in reasons.items() if why is not None}

    @property
    def pools(self) -> Sequence[PoolStatus]:
        """The workers of each pool, of the archive of dead letters, and of receipts."""
        queues = {
            name: [queue_name(pool.channel, lane) for lane in pool.lanes]
            for name, pool in self.settings.pools.items()
            if pool.channel in self.settings.channels
        }
        paused = self.paused
        queues |= {DEAD_POOL: [DEAD], RECEIPTS_POOL: [RECEIPTS, FEEDBACK]}
        return [self._pool(*each, paused) for each in queues.items()]

    def _pool(self, pool: str, queues: Sequence[str], paused: Mapping[str, str]) -> PoolStatus:
        found = {name: (self.queues or {}).get(name) for name in queues}
        counts = {name: depth.consumers if depth else 0 for name, depth in found.items()}
        missing = any(not count and name not in paused for name, count in counts.items())
        return PoolStatus(pool, min(counts.values()), max(counts.values()), missing)

    def as_json(self) -> dict[str, Any]:
        """Return everything as `notify status --json` prints it; an unreadable part is null."""
        record, ledger = self.record, self.ledger
        return {
            "at": self.at.isoformat(),
            "unreadable": dict(self.unreadable),
            "workers": self._workers_as_json(),
            "queues": self._queues_as_json(),
            "providers": record and [each.as_json() for each in record.circuits],
            "limits": record and [each.as_json() for each in record.limits],
            "holds": record and [each.as_json() for each in record.holds],
            "ledger": ledger and _totals(ledger),
            "dead_letters": ledger and {str(cause): n for cause, n in ledger.dead.items()},
            "late": record
            and {
                "relay": _late(record.relay, self.at),
                "lookups": _late(record.lookups, self.at),
                "events": _late(record.events, self.at),
            },
        }

    def _workers_as_json(self) -> dict[str, Any] | None:
        if self.queues is None:
            return None
        return {pool.pool: pool.as_json() for pool in self.pools}

    def _queues_as_json(self) -> list[dict[str, Any]] | None:
        if self.queues is None:
            return None
        pace = self.record.pace if self.record else {}
        drain, paused = self.drain, self.paused
        return [
            {
                "name": name,
                "waiting": depth and depth.ready,
                "consumers": depth and depth.consumers,
                "growth_per_second": self.growth.get(name),
                "sent_per_second": pace.get(name),
                "drained_in_seconds": drain.get(name),
                "paused": paused.get(name),
            }
            for name, depth in self.queues.items()
        ]


def _totals(snapshot: LedgerSnapshot) -> dict[str, Any]:
    values = ledger_as_json(snapshot.ledger, None)
    # A snapshot does not check for contradictions, so it reports none.
    return {key: values[key] for key in ("at", "accepted", "difference", "terms", "lines")}


def _late(late: Late, at: datetime) -> dict[str, Any]:
    return {"count": late.count, "seconds": late.oldest and (at - late.oldest).total_seconds()}
