"""The ledger: whether all that was ever accepted is still somewhere, and exactly once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from notify.message import Status
from notify.store import Store, find_contradictions
from notify.store.ledger import Count, DeadCount, Doubt, Fault, balance

__all__ = [
    "DEAD",
    "IN_FLIGHT",
    "TERMS",
    "Contradiction",
    "Doubt",
    "Fault",
    "Ledger",
    "Line",
    "build_ledger",
    "count_ledger",
]

GRACE = timedelta(minutes=5)
"""After its time: longer than any worker or relay that lives needs for what it holds."""

IN_FLIGHT = "in flight"
"""Scheduled, queued or sending."""
DEAD = "dead"
"""Never a notification: it came to nothing but a dead letter."""
TERMS = (
    *("delivered", "sent", "bounced", "complained"),
    *("failed", "rejected", "expired", "suppressed", "cancelled", "unknown"),
    *(IN_FLIGHT, DEAD),
)
"""What accepted is the sum of, in the order in which people read it."""


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
    """How often one contradiction was found, and the ids of some of those notifications."""

    count: int
    ids: Sequence[UUID]


@dataclass(frozen=True, slots=True)
class Ledger:
    """
    The record at one moment.

    Attributes:
        accepted: The requests known, a recipient each: notifications, and dead letters without.
        lines: By channel and lane.
        faults: The contradictions; none, in a record that is whole.
        doubts: What wants to be looked at and is no contradiction.
    """

    at: datetime
    accepted: int
    lines: Sequence[Line]
    faults: Mapping[Fault, Contradiction]
    doubts: Mapping[Doubt, Contradiction]

    @property
    def terms(self) -> Mapping[str, int]:
        """How many of each term, over all channels and lanes."""
        return sum((Counter(line.terms) for line in self.lines), Counter[str]())

    @property
    def difference(self) -> int:
        """What was accepted and is in none of the terms."""
        return self.accepted - sum(self.terms.values())

    @property
    def balanced(self) -> bool:
        """Whether nothing is missing and nothing contradicts itself."""
        return not self.faults and not self.difference


def build_ledger(store: Store, *, now: datetime, ids: int = 10) -> Ledger:
    """
    Draw up the ledger of one moment, in one reading transaction.

    Args:
        ids: List at most so many ids of each contradiction.

    Raises:
        StoreError: The record cannot be read.
    """
    with store.reading() as connection:
        accepted, lines = _summed(connection)
        found = find_contradictions(connection, long_ago=now - GRACE)
        faults, doubts = _found(found, most=ids)
    return Ledger(now, accepted, lines, faults, doubts)


def count_ledger(store: Store, *, now: datetime) -> Ledger:
    """
    Count what `build_ledger` counts, and look for no contradictions: a fraction of its time.

    Raises:
        StoreError: The record cannot be read.
    """
    with store.reading() as connection:
        accepted, lines = _summed(connection)
    return Ledger(now, accepted, lines, {}, {})


def _summed(connection: Connection) -> tuple[int, list[Line]]:
    balance.hold_still(connection)
    dead = list(balance.dead(connection))
    accepted = balance.rows(connection) + sum(each.count for each in dead)
    return accepted, list(_lines(balance.counts(connection), dead))


def term_of(status: str) -> str | None:
    """Tell which term a status counts in; None where it is no status at all."""
    if status not in list(Status):
        return None
    return status if Status(status).final else IN_FLIGHT


def _lines(counts: Iterable[Count], dead: Iterable[DeadCount]) -> Iterator[Line]:
    by_lane: dict[tuple[str | None, str | None], list[Count]] = defaultdict(list)
    for count in counts:
        by_lane[count.channel, count.lane].append(count)
    lost = {(each.channel, each.lane): each.count for each in dead}
    for channel, lane in sorted(by_lane.keys() | lost.keys(), key=_order):
        yield _line(channel, lane, by_lane[channel, lane], lost.get((channel, lane), 0))


def _order(key: tuple[str | None, str | None]) -> tuple[str, str]:
    return key[0] or "~", key[1] or "~"


def _line(channel: str | None, lane: str | None, counts: Sequence[Count], dead: int) -> Line:
    terms = Counter({DEAD: dead} if dead else {})
    in_flight = {}
    for count in counts:
        term = term_of(count.status)
        if term is not None:
            terms[term] += count.count
        if term == IN_FLIGHT:
            in_flight[Status(count.status)] = count.count
    oldest = min((each.oldest for each in counts if each.oldest is not None), default=None)
    return Line(channel, lane, terms, in_flight, oldest)


def _found(
    contradictions: Iterable[tuple[Fault | Doubt, UUID]], *, most: int
) -> tuple[dict[Fault, Contradiction], dict[Doubt, Contradiction]]:
    counts: Counter[Fault | Doubt] = Counter()
    ids: dict[Fault | Doubt, list[UUID]] = defaultdict(list)
    for kind, id_ in contradictions:
        counts[kind] += 1
        if counts[kind] <= most:
            ids[kind].append(id_)
    return (
        {kind: Contradiction(counts[kind], ids[kind]) for kind in Fault if kind in counts},
        {kind: Contradiction(counts[kind], ids[kind]) for kind in Doubt if kind in counts},
    )
