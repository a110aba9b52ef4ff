"""Four processes at one limit, on both databases; judged by the slots that they book."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import count, cycle

import pytest

from notify.errors import StoreError
from notify.flow.limiter import Limiter
from notify.policies.ratelimit import Limit
from notify.store import Store
from tests.support.clocks import Clock
from tests.support.forked import forks
from tests.support.migrated import migrated
from tests.support.patience import PATIENCE

PROCESSES = 4
TOLERANCE = 0.01
"""Units: SQLite keeps its clock to some 40 microseconds."""
STATEMENT = 0.001
"""Seconds that a booking takes by the tests' clock."""


@dataclass(frozen=True)
class Slot:
    """The units that a process got."""

    at: float
    cost: float
    returned: float = 0.0
    """When it knew."""


@dataclass(eq=False)
class Process:
    """Books all that may be had, as a lane of a worker with a backlog does."""

    limits: Sequence[Limit]
    begins: float = 0.0
    ends: float = 0.0
    names: Sequence[str] = ("account",)
    share: float = 1.0
    costs: Sequence[float] = (1.0,)
    together: int = 16
    pause: float = 0.0
    """Seconds between two bookings."""
    complaint: float | None = None
    """When the provider complains to it, and asks for 1.5 seconds of silence."""
    slots: list[Slot] = field(default_factory=list)

    def run(self, store: Store, clock: Clock) -> Iterator[float]:
        """Book, and yield the time of the next booking."""
        limiter = Limiter(store, {each.name: each for each in self.limits}, monotonic=clock)
        looks, costs = clock(), cycle(self.costs)
        waiting = [next(costs) for _ in range(self.together)]
        while (now := clock()) < self.ends:
            if now >= looks:
                looks = now + 0.5
                _refresh(limiter)
            if self.complaint is not None and now > self.complaint:
                self.complaint = None
                limiter.throttled(self.names, retry_after=1.5, calls_per_second=30.0)
            booking = limiter.book(self.names, waiting, share=self.share)
            clock.pass_(STATEMENT)
            self.slots += [
                Slot(at, cost, clock()) for at, cost in zip(booking.slots, waiting, strict=False)
            ]
            waiting = waiting[len(booking.slots) :]
            waiting += [next(costs) for _ in range(self.together - len(waiting))]
            yield clock() + max(booking.wait, self.pause, 0.002)


def _refresh(limiter: Limiter) -> None:
    try:
        limiter.refresh()
    except StoreError:
        return


@dataclass(frozen=True)
class Fleet:
    """Processes that share a database and a clock, one at a time: each when its turn has come."""

    store: Store
    clock: Clock
    acts: list[tuple[float, str]] = field(default_factory=list)
    """Statements of another user, and when."""

    def run(self, *processes: Process) -> list[Slot]:
        """Run them to their end; return all slots, by the time."""
        begun = self.clock()
        order = count()
        turns = [(begun + at, next(order), self._execute(sql)) for at, sql in self.acts]
        for each in processes:
            each.begins, each.ends = begun + each.begins, begun + each.ends
            if each.complaint is not None:
                each.complaint += begun
            turns.append((each.begins, next(order), each.run(self.store, self.clock)))
        heapq.heapify(turns)
        while turns:
            at, _, process = heapq.heappop(turns)
            self.clock.pass_(max(0.0, at - self.clock()))
            if (following := next(process, None)) is not None:
                heapq.heappush(turns, (following, next(order), process))
        return merged(*processes)

    def _execute(self, statement: str) -> Iterator[float]:
        with self.store.writing() as connection:
            connection.exec_driver_sql(statement)
        yield from ()


@pytest.fixture
def fleet(store_url: str) -> Iterator[Fleet]:
    """A fleet on an empty record."""
    store, clock = migrated(store_url), Clock()
    clock.keep(store)
    yield Fleet(store, clock)
    store.close()


def merged(*processes: Process) -> list[Slot]:
    """Return the slots of all, by the time."""
    return sorted((slot for each in processes for slot in each.slots), key=lambda slot: slot.at)


def units(slots: Sequence[Slot], since: float, until: float) -> float:
    """Count the units whose slots lie between two moments."""
    return sum(slot.cost for slot in slots if since <= slot.at < until)


def most_above(slots: Sequence[Slot], rate: float) -> float:
    """Return by how many units the fullest of all windows exceeds what the rate brings in it."""
    worst, lowest, total = 0.0, float("inf"), 0.0
    for slot in slots:
        lowest = min(lowest, total - rate * slot.at)
        total += slot.cost
        worst = max(worst, total - rate * slot.at - lowest)
    return worst


@pytest.mark.parametrize(
    ("rate", "costs"), [(50.0, (1.0,)), (500.0, (1.0,)), (50.0, (1.0, 3.0, 2.0))]
)
def test_four_processes_use_the_whole_limit_and_never_more(
    fleet: Fleet, rate: float, costs: Sequence[float]
) -> None:
    """At least 97 % of it, and in no window more than rate * T + burst."""
    limits = [Limit("account", rate)]
    slots = fleet.run(*(Process(limits, ends=4.5, costs=costs) for _ in range(PROCESSES)))
    # The burst is used up within the first second.
    since, until = slots[0].at + 1, slots[0].at + 4.5
    assert units(slots, since, until) >= 0.97 * rate * (until - since)
    assert most_above(slots, rate) <= rate


def test_a_small_burst_is_kept_to_by_all_together(fleet: Fleet) -> None:
    """A provider that allows five at once gets five at once."""
    limits = [Limit("account", 50.0, 5.0)]
    slots = fleet.run(*(Process(limits, ends=3.5, share=0.6) for _ in range(PROCESSES)))
    assert most_above(slots, 50.0) <= 5.0 + TOLERANCE
    since, until = slots[0].at + 0.5, slots[0].at + 3.5
    assert units(slots, since, until) >= 0.8 * 50 * (until - since)


def test_two_limits_at_once_are_both_kept(fleet: Fleet) -> None:
    """An account of 60 a second, and two senders of 40 and 30: the account is used to the full."""
    limits = [Limit("account", 60.0), Limit("a", 40.0), Limit("b", 30.0)]
    a, b, c, d = (Process(limits, ends=4.0, names=["account", sender]) for sender in "abab")
    slots = fleet.run(a, b, c, d)
    since, until = slots[0].at + 1, slots[0].at + 4
    assert units(slots, since, until) >= 0.95 * 60 * (until - since)
    assert most_above(slots, 60.0) <= 60.0
    assert most_above(merged(a, c), 40.0) <= 40.0
    assert most_above(merged(b, d), 30.0) <= 30.0


def test_the_first_lane_does_not_wait_behind_the_others(fleet: Fleet) -> None:
    """Three processes book all they can for bulk; a login code's slot is there at once."""
    limits = [Limit("account", 100.0)]
    bulk = [Process(limits, ends=4.0, share=0.6) for _ in range(3)]
    critical = Process(limits, begins=1.0, ends=4.0, together=1, pause=0.1)
    everything = fleet.run(*bulk, critical)
    assert len(critical.slots) >= 10
    assert [slot for slot in critical.slots if slot.at > slot.returned] == []
    assert most_above(everything, 100.0) <= 100.0
    since, until = everything[0].at + 1, everything[0].at + 4
    assert units(everything, since, until) >= 0.95 * 100 * (until - since)


def test_a_complaint_to_one_process_stops_and_slows_them_all(fleet: Fleet) -> None:
    """Nothing for as long as the provider asked; then seven tenths, and slowly more."""
    limits = [Limit("account", 100.0)]
    others = [Process(limits, ends=6.0) for _ in range(3)]
    begun = fleet.clock()
    slots = fleet.run(*others, Process(limits, ends=6.0, complaint=1.5))
    at = begun + 1.5
    # Units booked ahead at that moment may still be used.
    assert units(slots, begun + 1, at) > 0
    assert units(slots, at + 0.5, at + 1.5) == 0
    spans = 6 - 1.5 - 1.5
    recovered = units(slots, at + 1.5, begun + 6)
    assert 0.8 * 70 * spans <= recovered <= (70 + 2 * spans) * spans


def test_without_the_store_each_goes_on_with_its_part(fleet: Fleet) -> None:
    """Together they stay near the limit, and come back to it."""
    limits = [Limit("account", 100.0)]
    fleet.acts.append((2.5, "ALTER TABLE limits RENAME TO away"))
    fleet.acts.append((4.5, "ALTER TABLE away RENAME TO limits"))
    begun = fleet.clock()
    slots = fleet.run(*(Process(limits, ends=7.0) for _ in range(PROCESSES)))
    gone, back = begun + 2.5, begun + 4.5
    assert units(slots, gone + 0.5, back) >= 0.5 * 100 * (back - gone - 0.5)
    # No worker knows what the others do. Each one's part is what it got before, of the first burst
    # too, and a second may pass until all know that the record is back.
    beyond = 100.0 / (gone - slots[0].at)
    assert most_above(slots, 100.0) <= 100.0 + beyond * (back + 1 - gone)
    assert units(slots, back + 1, begun + 7) >= 0.9 * 100 * (begun + 7 - back - 1)


def book_some(url: str, rate: float) -> list[float]:
    """Book for two seconds in a process that shares nothing but the database."""
    store = Store.open(url)
    limiter = Limiter(store, {"account": Limit("account", rate)})
    # The processes translate the database's times by their quickest answer: the first is slow.
    for _ in range(10):
        limiter.refresh()
    _barriers[-1].wait(PATIENCE)
    slots: list[float] = []
    for _ in range(100):
        booking = limiter.book(["account"], [1.0] * 16, share=1.0)
        slots += booking.slots
        time.sleep(min(booking.wait, 0.02))
    store.close()
    return slots


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessPoolExecutor]:
    """Four real processes, all started."""
    context = forks()
    barrier = context.Barrier(PROCESSES + 1)
    with ProcessPoolExecutor(
        PROCESSES,
        mp_context=context,
        initializer=_ready,
        initargs=(barrier, context.Barrier(PROCESSES)),
    ) as pool:
        for _ in range(PROCESSES):
            pool.submit(time.sleep, 0)
        barrier.wait(PATIENCE)
        yield pool


_barriers: list[threading.Barrier] = []
"""In each of the real processes, the barrier that they share."""


def _ready(started: threading.Barrier, together: threading.Barrier) -> None:
    _barriers.append(together)
    started.wait(PATIENCE)


def test_real_processes_at_once_never_book_more_than_the_limit(
    processes: ProcessPoolExecutor, store_url: str
) -> None:
    """With real clocks, locks and collisions, however fast or slow the machine is."""
    migrated(store_url).close()
    running = [processes.submit(book_some, store_url, 200.0) for _ in range(PROCESSES)]
    slots = [Slot(at, 1.0) for each in running for at in each.result(PATIENCE)]
    slots.sort(key=lambda slot: slot.at)
    assert len(slots) >= 100
    assert most_above(slots, 200.0) <= 200.0
