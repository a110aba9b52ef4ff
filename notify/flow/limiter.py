"""The limits of the fleet, as one worker process books them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from notify.flow.leased_units import Taken
from notify.flow.schedule import Schedule
from notify.flow.usage import LimitUsage
from notify.policies.ratelimit import Limit, LimitState
from notify.store import Store
from notify.store.db import ClockOffset
from notify.store.flow import limits as record

IDLE = 60.0
"""Seconds after which the limit of a single value that nobody asked for is forgotten here."""
CLEAN = 600.0
"""Seconds between two looks for rows that say nothing any more."""


@dataclass(frozen=True, slots=True)
class Booking:
    """When the first of the costs may go, and when the rest is worth asking for."""

    slots: Sequence[float]
    """Monotonic times, none before the one before it; as many as costs were booked."""
    wait: float
    """Seconds until the rest is worth asking for; 0.0 if there is none."""


class Limiter:
    """
    Books what providers may be asked, for this process among all. Safe among threads.

    The limit of one value, such as a recipient's, is named `NAME:value` after the configured
    limit NAME. A name that is not configured has no limit until its provider complains, or an
    operator sets one.

    Attributes:
        used: What was booked, by the configured limits; those of single values together.
    """

    def __init__(
        self,
        store: Store,
        limits: Mapping[str, Limit],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._monotonic = monotonic
        self._limits = dict(limits)
        self._offset = ClockOffset()
        self._clean_at = monotonic() + CLEAN
        self.used = LimitUsage()
        # Looked up without a lock: two threads that make the same one agree by `setdefault`.
        self._schedules = {name: self._new(limit) for name, limit in limits.items()}

    def change(self, limits: Mapping[str, Limit]) -> None:
        """Take other limits, by name, in place of the configured ones; holds for what is booked."""
        self._limits = dict(limits)
        for name, schedule in list(self._schedules.items()):
            schedule.change(self._limit(name))

    def book(
        self,
        names: Sequence[str],
        costs: Sequence[float],
        *,
        share: float,
        ahead: float = math.inf,
    ) -> Booking:
        """
        Book units of every limit named, for as many of the costs as all of them allow.

        A slot that is not used is lost, not given back.

        Args:
            names: The limits on the way.
            costs: Units, each greater than 0, in the order of sending.
            share: Which part of the bursts the lane may use, of 0 to 1: the rest is for others.
            ahead: At most how many seconds ahead to book.
        """
        now = self._monotonic()
        found = [self._schedule(name) for name in dict.fromkeys(names)]
        schedules = [each for each in found if not each.free(now)]
        if not schedules or not costs:
            return Booking([now] * len(costs), 0.0)
        booking = self._book(schedules, costs, share=share, ahead=ahead)
        kinds = [self._kind(each.limit.name) for each in schedules]
        self.used.add(kinds, sum(costs[: len(booking.slots)]), waited=booking.wait > 0)
        return booking

    def _book(
        self, schedules: list[Schedule], costs: Sequence[float], *, share: float, ahead: float
    ) -> Booking:
        if len(schedules) == 1:
            taken = schedules[0].take(costs, share=share, ahead=ahead)
            return Booking(_ascending(taken.slots), taken.wait)
        # Nothing is booked of one limit that another would let lapse.
        blocked = max(each.blocked(costs[0], share=share) for each in schedules)
        if blocked:
            return Booking([], blocked)
        return self._book_all(schedules, costs, share=share, ahead=ahead)

    def _book_all(
        self, schedules: list[Schedule], costs: Sequence[float], *, share: float, ahead: float
    ) -> Booking:
        now, largest = self._monotonic(), max(costs)
        # The scarcest first, so that of the others no more is asked than can be used.
        schedules.sort(key=lambda each: each.rate(now) or math.inf)
        count, wait = len(costs), 0.0
        given = list[tuple[Schedule, Taken]]()
        for schedule in schedules:
            near = min(ahead, self._near(schedules, schedule, largest, now))
            taken = schedule.take(costs[:count], share=share, ahead=near)
            given.append((schedule, taken))
            count, wait = len(taken.drawn), max(wait, taken.wait)
            if not count:
                break
        for schedule, taken in given:
            schedule.put_back(
                taken.drawn[count:], sum(costs[count : len(taken.drawn)]), share=share
            )
        # Each of the slots is late enough for one limit, so the latest is for all.
        slots = [now] * count
        for _, taken in given:
            slots = list(map(max, slots, taken.slots))
        return Booking(_ascending(slots), wait)

    def _near(
        self, schedules: Sequence[Schedule], schedule: Schedule, largest: float, now: float
    ) -> float:
        """Keep a slot of one limit from being so far ahead that another's has lapsed by then."""
        others = [each for each in schedules if each is not schedule and each.rate(now)]
        return min((each.lapse(largest, now) for each in others), default=math.inf)

    def throttled(
        self, names: Iterable[str], *, retry_after: float | None, calls_per_second: float
    ) -> None:
        """
        Heed a provider's complaint that it is asked too much; all workers do.

        Args:
            names: The limits of the call.
            retry_after: How many seconds the provider wants to be left alone.
            calls_per_second: How often the fleet calls it, for where no rate is configured.
        """
        for name in names:
            self._schedule(name).throttled(
                retry_after=retry_after, calls_per_second=calls_per_second
            )

    def exhausted(self, names: Iterable[str], seconds: float) -> None:
        """Heed that nothing is left for so many seconds; all workers do."""
        for name in names:
            self._schedule(name).exhausted(seconds)

    def wait(self, names: Iterable[str], *, share: float = 1.0) -> float:
        """Tell in how many seconds a unit is worth asking for; 0.0 where it may be had now."""
        now = self._monotonic()
        return max((self._schedule(name).wait(share, now) for name in names), default=0.0)

    def rate(self, names: Iterable[str]) -> float | None:
        """
        Tell how many costs a second this process had met lately; None if all that it asked for.

        That is how many messages it may send, however many units each of them takes.
        """
        now = self._monotonic()
        rates = [self._schedule(name).lately(now) for name in names]
        return min((rate for rate in rates if rate is not None), default=None)

    def rates(self) -> Mapping[str, float]:
        """Tell the rates in force by the names of limits, where there are any."""
        now = self._monotonic()
        found = [(name, each.rate(now)) for name, each in list(self._schedules.items())]
        return {name: rate for name, rate in found if rate and not self._is_value(name)}

    def refresh(self) -> None:
        """
        Read what other workers, and operators, made of the limits.

        Raises:
            StoreError: The store cannot be used; what was known stays in force.
        """
        for schedule in list(self._schedules.values()):
            schedule.settle()
        names = [name for name in list(self._schedules) if not self._is_value(name)]
        with self._store.reading() as connection:
            seen, now = record.read(connection, names)
        found = {each.name: each.standing for each in seen}
        for name in names:
            self._schedules[name].learn(found.get(name, LimitState()), now)
        self._tidy()

    def _tidy(self) -> None:
        now = self._monotonic()
        for name in filter(self._is_value, list(self._schedules)):
            self._schedules[name].limit = self._limit(name)
            if self._schedules[name].used_at < now - IDLE:
                del self._schedules[name]
        if now > self._clean_at:
            self._clean_at = now + CLEAN
            with self._store.writing() as connection:
                record.clean(connection)

    def _is_value(self, name: str) -> bool:
        return name not in self._limits and name.partition(":")[0] in self._limits

    def _kind(self, name: str) -> str:
        return name.partition(":")[0] if self._is_value(name) else name

    def _schedule(self, name: str) -> Schedule:
        found = self._schedules.get(name)
        if found is not None:
            return found
        return self._schedules.setdefault(name, self._new(self._limit(name)))

    def _new(self, limit: Limit) -> Schedule:
        return Schedule(self._store, limit, offset=self._offset, monotonic=self._monotonic)

    def _limit(self, name: str) -> Limit:
        """Give a value's limit, at the rate of its kind: the configured or an operator's."""
        if not self._is_value(name):
            return self._limits.get(name, Limit(name))
        kind = name.partition(":")[0]
        rate = self._schedules[kind].ceiling(self._monotonic())
        return Limit(name, rate, self._limits[kind].burst)


def _ascending(slots: Sequence[float]) -> list[float]:
    return list(accumulate(slots, max))
