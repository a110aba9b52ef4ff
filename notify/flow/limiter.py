"""Booking units of the fleet's limits, in one worker process."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from notify.flow.leased_units import Taken
from notify.flow.limit_lease import LimitLease
from notify.flow.limit_store import LimitStore
from notify.flow.usage import LimitUsage
from notify.policies.ratelimit import Grant, Limit, LimitState
from notify.store import Store
from notify.store.db import ClockOffset
from notify.store.flow import limits as record

IDLE = 60.0
"""Seconds after which this process forgets an unused limit of a single value."""
CLEAN = 600.0
"""Seconds between two removals of rows without effect."""


@dataclass(frozen=True, slots=True)
class Booking:
    """The moments of the first costs, and when the rest is available."""

    slots: Sequence[float]
    """Monotonic times in ascending order, one for each cost that was booked."""
    wait: float
    """Seconds until the rest is available; 0.0 if all is booked."""


class Limiter:
    """
    Books calls to providers on limits that all workers share. Safe among threads.

    The limit of one value, such as a recipient's, is named `NAME:value` after the configured
    limit NAME. A name that is not configured has no limit until its provider complains, or an
    operator sets one.

    Attributes:
        used: The units booked, by configured limit; those of its single values are summed.
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
        # Read without a lock: if two threads make the same one, `setdefault` keeps the first.
        self._leases = {name: self._new(limit) for name, limit in limits.items()}

    def change(self, limits: Mapping[str, Limit]) -> None:
        """Replace the configured limits, by name; units leased under a changed limit are lost."""
        self._limits = dict(limits)
        for name, lease in list(self._leases.items()):
            lease.change(self._limit(name))

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

        A slot that is not used is lost, not returned.

        Args:
            names: The limits to pass.
            costs: Units, each greater than 0, in the order of sending.
            share: The part of the bursts that the lane may use, 0 to 1; the rest is for others.
            ahead: The most seconds ahead to book.
        """
        now = self._monotonic()
        found = [self._lease(name) for name in dict.fromkeys(names)]
        leases = [each for each in found if not each.free(now)]
        if not leases or not costs:
            return Booking([now] * len(costs), 0.0)
        booking = self._book(leases, costs, share=share, ahead=ahead)
        kinds = [self._kind(each.limit.name) for each in leases]
        self.used.add(kinds, sum(costs[: len(booking.slots)]), waited=booking.wait > 0)
        return booking

    def _book(
        self, leases: list[LimitLease], costs: Sequence[float], *, share: float, ahead: float
    ) -> Booking:
        if len(leases) == 1:
            taken = leases[0].take(costs, share=share, ahead=ahead)
            return Booking(_ascending(taken.slots), taken.wait)
        # Do not book units of one limit that would lapse while the call waits for another.
        blocked = max(each.blocked(costs[0], share=share) for each in leases)
        if blocked:
            return Booking([], blocked)
        return self._book_all(leases, costs, share=share, ahead=ahead)

    def _book_all(
        self, leases: list[LimitLease], costs: Sequence[float], *, share: float, ahead: float
    ) -> Booking:
        now, largest = self._monotonic(), max(costs)
        # The scarcest first, so that no more of the others is booked than can be used.
        leases.sort(key=lambda each: each.rate(now) or math.inf)
        count, wait = len(costs), 0.0
        taken_by_lease = list[tuple[LimitLease, Taken]]()
        for lease in leases:
            near = min(ahead, self._near(leases, lease, largest, now))
            taken = lease.take(costs[:count], share=share, ahead=near)
            taken_by_lease.append((lease, taken))
            count, wait = len(taken.drawn), max(wait, taken.wait)
            if not count:
                break
        for lease, taken in taken_by_lease:
            lease.put_back(taken.drawn[count:], sum(costs[count : len(taken.drawn)]), share=share)
        # Each slot is late enough for its limit, so the latest is late enough for all.
        slots = [now] * count
        for _, taken in taken_by_lease:
            slots = list(map(max, slots, taken.slots))
        return Booking(_ascending(slots), wait)

    def _near(
        self, leases: Sequence[LimitLease], lease: LimitLease, largest: float, now: float
    ) -> float:
        """Return how far ahead to book, so that no slot is later than another limit's lapse."""
        others = [each for each in leases if each is not lease and each.rate(now)]
        return min((each.lapse(largest, now) for each in others), default=math.inf)

    def throttled(
        self, names: Iterable[str], *, retry_after: float | None, calls_per_second: float
    ) -> None:
        """
        Slow all workers down after a provider's complaint of too many calls.

        Args:
            names: The limits of the call.
            retry_after: The seconds without calls that the provider requests.
            calls_per_second: The fleet's calls to it, used where no rate is configured.
        """
        for name in names:
            self._lease(name).throttled(retry_after=retry_after, calls_per_second=calls_per_second)

    def exhausted(self, names: Iterable[str], seconds: float) -> None:
        """Pause, for all workers, limits whose units are used up for *seconds*."""
        for name in names:
            self._lease(name).exhausted(seconds)

    def wait(self, names: Iterable[str], *, share: float = 1.0) -> float:
        """Return the seconds until a unit is available; 0.0 if one is available now."""
        now = self._monotonic()
        return max((self._lease(name).wait(share, now) for name in names), default=0.0)

    def preview(self, name: str) -> Grant:
        """Return the grant of one unit of a limit; nothing is booked."""
        return self._lease(name).preview(self._monotonic())

    def lapse(self, names: Iterable[str]) -> float:
        """Return for how many seconds after its slot a unit may be used; infinity if for ever."""
        now = self._monotonic()
        leases = [self._lease(name) for name in names]
        return min((each.lapse(1.0, now) for each in leases if each.rate(now)), default=math.inf)

    def rate(self, names: Iterable[str]) -> float | None:
        """
        Return this process's recent costs a second; None if no cost had to wait recently.

        That is how many messages it may send a second, however many units each one uses.
        """
        now = self._monotonic()
        rates = [self._lease(name).recent_rate(now) for name in names]
        return min((rate for rate in rates if rate is not None), default=None)

    def rates(self) -> Mapping[str, float]:
        """Return the rates in force by the names of limits; a limit without a rate is left out."""
        now = self._monotonic()
        found = [(name, each.rate(now)) for name, each in list(self._leases.items())]
        return {name: rate for name, rate in found if rate and not self._is_value(name)}

    def refresh(self) -> None:
        """
        Exchange the limits' states with the store.

        Raises:
            StoreError: The store cannot be used; the known states stay in force.
        """
        for lease in list(self._leases.values()):
            lease.settle()
        names = [name for name in list(self._leases) if not self._is_value(name)]
        with self._store.reading() as connection:
            rows, now = record.read(connection, names)
        states = {row.name: row.state for row in rows}
        for name in names:
            self._leases[name].learn(states.get(name, LimitState()), now)
        self._tidy()

    def _tidy(self) -> None:
        now = self._monotonic()
        for name in filter(self._is_value, list(self._leases)):
            self._leases[name].change(self._limit(name))
            if self._leases[name].used_at < now - IDLE:
                del self._leases[name]
        if now > self._clean_at:
            self._clean_at = now + CLEAN
            with self._store.writing() as connection:
                record.clean(connection)

    def _is_value(self, name: str) -> bool:
        return name not in self._limits and name.partition(":")[0] in self._limits

    def _kind(self, name: str) -> str:
        return name.partition(":")[0] if self._is_value(name) else name

    def _lease(self, name: str) -> LimitLease:
        found = self._leases.get(name)
        if found is not None:
            return found
        return self._leases.setdefault(name, self._new(self._limit(name)))

    def _new(self, limit: Limit) -> LimitLease:
        store = LimitStore(self._store, offset=self._offset, monotonic=self._monotonic)
        return LimitLease(limit, store, monotonic=self._monotonic)

    def _limit(self, name: str) -> Limit:
        """Return a value's limit, at the rate of its kind: the configured or an operator's."""
        if not self._is_value(name):
            return self._limits.get(name, Limit(name))
        kind = name.partition(":")[0]
        rate = self._leases[kind].ceiling(self._monotonic())
        return Limit(name, rate, self._limits[kind].burst)


def _ascending(slots: Sequence[float]) -> list[float]:
    return list(accumulate(slots, max))
