"""Four worker processes at one limit, on both databases; judged by the slots that they book."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import cycle

import pytest

from notify.errors import StoreError
from notify.flow.limiter import Limiter
from notify.ratelimit import Limit
from notify.store import Store
from tests.migrated import migrated

PROCESSES = 4
WAIT = 60


@dataclass(frozen=True)
class Work:
    """What one process does."""

    url: str
    limits: Sequence[Limit]
    begins: float
    seconds: float
    names: Sequence[str] = ("account",)
    share: float = 1.0
    costs: Sequence[float] = (1.0,)
    together: int = 16
    pause: float = 0.0
    """Seconds between two bookings."""
    complains: float | None = None
    """How many seconds into it the provider complains to this process."""
    retry_after: float | None = None


@dataclass(frozen=True)
class Slot:
    """What a process got."""

    at: float
    cost: float
    returned: float
    """When it knew."""


@dataclass(frozen=True)
class Done:
    """All that one process got."""

    slots: Sequence[Slot]
    complained: float | None = None


def book_all(work: Work) -> Done:
    """Book all that may be had, as a lane of a worker with a backlog does."""
    store = Store.open(work.url)
    limiter = Limiter(store, {each.name: each for each in work.limits})
    time.sleep(max(0.0, work.begins - time.monotonic()))
    ends, looks = work.begins + work.seconds, work.begins
    slots, costs, complained = list[Slot](), cycle(work.costs), None
    waiting = [next(costs) for _ in range(work.together)]
    while (now := time.monotonic()) < ends:
        if now >= looks:
            looks = now + 0.5
            _refresh(limiter)
        if work.complains is not None and complained is None and now > work.begins + work.complains:
            complained = now
            limiter.throttled(work.names, retry_after=work.retry_after, calls_per_second=30.0)
        booking = limiter.book(work.names, waiting, share=work.share)
        now = time.monotonic()
        slots += [Slot(at, cost, now) for at, cost in zip(booking.slots, waiting, strict=False)]
        waiting = waiting[len(booking.slots) :]
        waiting += [next(costs) for _ in range(work.together - len(waiting))]
        # It sends meanwhile: nobody asks more often than it can.
        time.sleep(max(booking.wait, work.pause, 0.002))
    store.close()
    return Done(slots, complained)


def _refresh(limiter: Limiter) -> None:
    try:
        limiter.refresh()
    except StoreError:
        return


def ready(barrier: threading.Barrier) -> None:
    """Tell that this process has started, which takes a busy machine seconds."""
    barrier.wait(WAIT)


@pytest.fixture(scope="module")
def fleet() -> Iterator[ProcessPoolExecutor]:
    """Four processes, each with nothing in common with the others but the database."""
    spawn = multiprocessing.get_context("spawn")
    barrier = spawn.Barrier(PROCESSES + 1)
    with ProcessPoolExecutor(
        PROCESSES, mp_context=spawn, initializer=ready, initargs=(barrier,)
    ) as pool:
        for _ in range(PROCESSES):
            pool.submit(time.sleep, 0)
        barrier.wait(WAIT)
        yield pool


@pytest.fixture
def url(store_url: str) -> str:
    """The address of an empty record."""
    store = migrated(store_url)
    store.close()
    return store_url


def start(fleet: ProcessPoolExecutor, works: Sequence[Work]) -> list[Future[Done]]:
    """Set them to work."""
    return [fleet.submit(book_all, work) for work in works]


def soon() -> float:
    """Give a moment at which all processes can begin."""
    return time.monotonic() + 0.5


def used(works: Sequence[Future[Done]]) -> list[Slot]:
    """Wait for their end; give all slots, by the time."""
    return sorted((slot for each in works for slot in each.result(WAIT).slots), key=lambda s: s.at)


def units(slots: Sequence[Slot], since: float, until: float) -> float:
    """Count the units whose slots lie between two moments."""
    return sum(slot.cost for slot in slots if since <= slot.at < until)


def most_above(slots: Sequence[Slot], rate: float) -> float:
    """Tell by how many units the fullest of all windows exceeds what the rate brings in it."""
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
    fleet: ProcessPoolExecutor, url: str, rate: float, costs: Sequence[float]
) -> None:
    """At least 97 % of it, and in no window more than rate * T + burst."""
    begins, seconds = soon(), 4.5
    work = Work(url, [Limit("account", rate)], begins, seconds, costs=costs)
    slots = used(start(fleet, [work] * PROCESSES))
    # The burst is used up within the first second.
    since, until = slots[0].at + 1, begins + seconds
    assert units(slots, since, until) >= 0.97 * rate * (until - since)
    assert most_above(slots, rate) <= rate


def test_a_small_burst_is_kept_to_by_all_together(fleet: ProcessPoolExecutor, url: str) -> None:
    """A provider that allows five at once gets five at once."""
    begins = soon()
    work = Work(url, [Limit("account", 50.0, 5.0)], begins, 3.5, share=0.6)
    slots = used(start(fleet, [work] * PROCESSES))
    assert most_above(slots, 50.0) <= 5.0
    since, until = slots[0].at + 0.5, begins + 3.5
    assert units(slots, since, until) >= 0.8 * 50 * (until - since)


def test_two_limits_at_once_are_both_kept(fleet: ProcessPoolExecutor, url: str) -> None:
    """An account of 60 a second, and two senders of 40 and 30: the account is used to the full."""
    limits = [Limit("account", 60.0), Limit("a", 40.0), Limit("b", 30.0)]
    begins, seconds = soon(), 4.0
    works = [
        Work(url, limits, begins, seconds, names=["account", sender])
        for sender in ("a", "b", "a", "b")
    ]
    running = start(fleet, works)
    slots = used(running)
    since, until = slots[0].at + 1, begins + seconds
    assert units(slots, since, until) >= 0.95 * 60 * (until - since)
    assert most_above(slots, 60.0) <= 60.0
    assert most_above(used(running[0::2]), 40.0) <= 40.0
    assert most_above(used(running[1::2]), 30.0) <= 30.0


def test_the_first_lane_does_not_wait_behind_the_others(
    fleet: ProcessPoolExecutor, url: str
) -> None:
    """Three processes book all they can for bulk; a login code's slot is there at once."""
    begins, limits = soon(), [Limit("account", 100.0)]
    bulk = Work(url, limits, begins, 4.0, share=0.6)
    critical = Work(url, limits, begins + 1, 3.0, share=1.0, together=1, pause=0.1)
    *others, last = start(fleet, [bulk, bulk, bulk, critical])
    first, rest = last.result(WAIT).slots, used(others)
    assert len(first) >= 10
    assert [slot for slot in first if slot.at > slot.returned] == []
    everything = sorted([*first, *rest], key=lambda slot: slot.at)
    assert most_above(everything, 100.0) <= 100.0
    since, until = rest[0].at + 1, begins + 4
    assert units(everything, since, until) >= 0.95 * 100 * (until - since)


def test_a_complaint_to_one_process_stops_and_slows_them_all(
    fleet: ProcessPoolExecutor, url: str
) -> None:
    """Nothing for as long as the provider asked; then seven tenths, and slowly more."""
    begins, limits = soon(), [Limit("account", 100.0)]
    work = Work(url, limits, begins, 6.0)
    told = Work(url, limits, begins, 6.0, complains=1.5, retry_after=1.5)
    running = start(fleet, [work, work, work, told])
    slots = used(running)
    at = running[-1].result(WAIT).complained
    assert at is not None
    # What was booked ahead at that moment may still go.
    assert units(slots, begins + 1, at) > 0
    assert units(slots, at + 0.5, at + 1.5) == 0
    recovered = units(slots, at + 1.5, begins + 6)
    spans = begins + 6 - at - 1.5
    assert recovered <= (70 + 2 * spans) * spans
    assert recovered >= 0.8 * 70 * spans


def test_without_the_store_each_goes_on_with_its_part(fleet: ProcessPoolExecutor, url: str) -> None:
    """Together they stay near the limit, and come back to it."""
    begins, limits = soon(), [Limit("account", 100.0)]
    running = start(fleet, [Work(url, limits, begins, 7.0)] * PROCESSES)
    time.sleep(max(0.0, begins + 2.5 - time.monotonic()))
    store = Store.open(url)
    with store.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE limits RENAME TO away")
    gone = time.monotonic()
    time.sleep(2.0)
    with store.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE away RENAME TO limits")
    back = time.monotonic()
    store.close()
    slots = used(running)
    assert units(slots, gone + 0.5, back) >= 0.5 * 100 * (back - gone - 0.5)
    # Nobody knows what the others do. Each one's part is what it got before, of the first burst
    # too, and a second may pass until all know that the record is back.
    beyond = 100.0 / (gone - slots[0].at)
    assert most_above(slots, 100.0) <= 100.0 + beyond * (back + 1 - gone)
    assert units(slots, back + 1, begins + 7) >= 0.9 * 100 * (begins + 7 - back - 1)
