"""The ledger: checks that each accepted request is still on record, exactly once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from notify.ledger.checking import GRACE, Check, Findings, Miscount
from notify.message import Status
from notify.store import Store
from notify.store.ledger import DeadCount, Doubt, Fault, balance
from notify.store.totals import CountFilter, GroupCount, count_groups

__all__ = [
    "DEAD",
    "GRACE",
    "IN_FLIGHT",
    "TERMS",
    "Contradiction",
    "Doubt",
    "Fault",
    "Ledger",
    "Line",
    "Miscount",
    "build_ledger",
    "count_ledger",
]

IN_FLIGHT = "in flight"
"""Scheduled, queued or sending."""
DEAD = "dead"
"""A request without a notification: it is a dead letter only."""
TERMS = (
    *("delivered", "sent", "bounced", "complained", "confirmed"),
    *("failed", "rejected", "expired", "suppressed", "cancelled", "unknown"),
    *(IN_FLIGHT, DEAD),
)
"""The terms whose sum is the number of accepted requests, in display order."""


@dataclass(frozen=True, slots=True)
class Line:
    """
    One channel and lane.

    Attributes:
        channel: None where a dead letter's cannot be read.
        terms: How many of each term.
        in_flight: The same by status, for what is in flight.
        oldest: When the oldest that is queued or sending was received; what is scheduled waits
            on purpose.
    """

    channel: str | None
    lane: str | None
    terms: Mapping[str, int]
    in_flight: Mapping[Status, int]
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class Contradiction:
    """How often one contradiction was found, and the ids of some of its notifications."""

    count: int
    ids: Sequence[UUID]


@dataclass(frozen=True, slots=True)
class Ledger:
    """
    The record at one moment.

    Attributes:
        accepted: The requests, one for each recipient: notifications, and dead letters without one.
        lines: By channel and lane.
        faults: The contradictions; none in a consistent record.
        doubts: What should be examined and is not a contradiction.
        miscounts: The kept totals that differed from their rows, and were corrected.
    """

    at: datetime
    accepted: int
    lines: Sequence[Line]
    faults: Mapping[Fault, Contradiction]
    doubts: Mapping[Doubt, Contradiction]
    miscounts: Sequence[Miscount] = ()

    @property
    def terms(self) -> Mapping[str, int]:
        """The count of each term, over all channels and lanes."""
        return sum((Counter(line.terms) for line in self.lines), Counter[str]())

    @property
    def difference(self) -> int:
        """The accepted requests that are in none of the terms."""
        return self.accepted - sum(self.terms.values())

    @property
    def balanced(self) -> bool:
        """Whether nothing is missing and there is no contradiction."""
        return not self.faults and not self.miscounts and not self.difference


def build_ledger(store: Store, *, now: datetime, ids: int = 10, full: bool = False) -> Ledger:
    """
    Check the record, remember what was checked, and return the ledger.

    Args:
        ids: The largest number of ids to list for each contradiction.
        full: Check everything; otherwise what is new, has changed or is open, what the last check
            found, and some of what was checked the longest time ago.

    Raises:
        StoreError: The record cannot be used.
    """
    found = Check(store, now=now, ids=ids, full=full).run()
    ledger = count_ledger(store, now=now)
    return replace(
        ledger,
        faults={kind: _contradiction(found, kind) for kind in Fault if kind in found.counts},
        doubts={kind: _contradiction(found, kind) for kind in Doubt if kind in found.counts},
        miscounts=found.miscounts,
    )


def _contradiction(found: Findings, kind: Fault | Doubt) -> Contradiction:
    return Contradiction(found.counts[kind], found.ids[kind])


def count_ledger(store: Store, *, now: datetime) -> Ledger:
    """
    Return the ledger without its contradictions, in a fraction of the time.

    Raises:
        StoreError: The record cannot be read.
    """
    with store.reading() as connection:
        accepted, lines = _counted(connection)
    return Ledger(now, accepted, lines, {}, {})


def _counted(connection: Connection) -> tuple[int, list[Line]]:
    balance.fix_snapshot(connection)
    dead = list(balance.count_dead_only(connection))
    counts = count_groups(connection, CountFilter())
    accepted = sum(each.count for each in counts) + sum(each.count for each in dead)
    return accepted, list(_lines(counts, dead))


def term_of(status: str) -> str | None:
    """Return the term that a status counts in; None if it is not a status."""
    if status not in list(Status):
        return None
    return status if Status(status).final else IN_FLIGHT


def _lines(counts: Iterable[GroupCount], dead: Iterable[DeadCount]) -> Iterator[Line]:
    by_lane: dict[tuple[str | None, str | None], list[GroupCount]] = defaultdict(list)
    for count in counts:
        by_lane[count.channel, count.lane].append(count)
    dead_by_lane = {(each.channel, each.lane): each.count for each in dead}
    for channel, lane in sorted(by_lane.keys() | dead_by_lane.keys(), key=_order):
        yield _line(channel, lane, by_lane[channel, lane], dead_by_lane.get((channel, lane), 0))


def _order(key: tuple[str | None, str | None]) -> tuple[str, str]:
    return key[0] or "~", key[1] or "~"


def _line(channel: str | None, lane: str | None, counts: Sequence[GroupCount], dead: int) -> Line:
    terms = Counter({DEAD: dead} if dead else {})
    in_flight: Counter[Status] = Counter()
    for count in counts:
        term = term_of(count.status)
        if term is not None:
            terms[term] += count.count
        if term == IN_FLIGHT:
            in_flight[Status(count.status)] += count.count
    oldest = min((each.oldest for each in counts if each.oldest is not None), default=None)
    return Line(channel, lane, terms, in_flight, oldest)
