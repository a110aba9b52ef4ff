"""
Booking units of a limit: as many as fit, each with the moment at which it may be used.

On PostgreSQL the same arithmetic is SQL (store/flow/bookings.py), and must follow every change
made here. tests/integration/store/test_limits.py compares the two on random states and requests:
`test_the_database_books_as_the_formulas_say`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from notify.policies.ratelimit.limit_state import LARGEST, Limit, LimitState

AHEAD = 0.25
"""The most seconds ahead that a slot is booked where slots are close to each other."""
FAR_AHEAD = 2.0
"""The most seconds ahead that a lane with a share of 1 books where slots are far apart."""
SLACK = 0.15
"""Seconds that all workers may oversleep before a lane's part of the rate is lost."""
RESERVE = 0.75
"""The part of the burst reserved for other lanes that bookings ahead keep free as well."""
_EPSILON = 1e-9


@dataclass(frozen=True, slots=True)
class BookingRequest:
    """The units that a worker asks for."""

    sums: Sequence[float]
    """The running sums of the costs, in units."""
    largest: float
    """The largest of the costs."""
    lease: float
    """The units to lease in all while there is plenty; if there are fewer, only the costs count."""
    share: float
    """The part of the tolerance that it may use."""
    ahead: float = math.inf
    """The most seconds ahead of a slot that it may book."""

    @classmethod
    def of(
        cls,
        costs: Sequence[float],
        *,
        share: float,
        lease: float = 0.0,
        ahead: float = math.inf,
    ) -> BookingRequest:
        """Return the request for costs, each greater than 0, in their order."""
        return cls(tuple(accumulate(costs)), max(costs), lease, share, ahead)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The units that were booked, each with its slot."""

    now: float
    """When they were booked. All times of the grant are by this clock."""
    base: float
    """The schedule's `tat` before."""
    rate: float | None
    """The rate in force; None where nothing limits."""
    burst: float
    """Units that may be used at once at this rate, for a share of 1."""
    tolerance: float
    """Units that this booking could use at once."""
    ahead: float
    """Seconds ahead that it could book."""
    horizon: float
    """Seconds ahead that it could have booked without the request's own bound."""
    units: float
    """The number of units booked."""
    paused_until: float | None
    """Nothing is booked before then."""

    @property
    def tat(self) -> float:
        """The schedule's `tat` after it."""
        return self.base if self.rate is None else self.base + self.units / self.rate

    @property
    def lapse(self) -> float:
        """Seconds after its slot within which a unit must be used; later it is lost."""
        if self.rate is None:
            return 0.0
        return max(0.0, 2 * self.burst - max(self.burst, self.tolerance)) / (2 * self.rate)

    @property
    def at_once(self) -> float:
        """The units that may be used before any wait; infinity where nothing limits."""
        if self.rate is None:
            return math.inf
        return max(0.0, (self.now - self.base) * self.rate + self.tolerance)

    def slot(self, units: float) -> float:
        """Return when the last of so many of its units may be used."""
        if self.rate is None:
            return self.now
        return max(self.now, self.base + (units - self.tolerance) / self.rate)

    def within(self, at: float) -> float:
        """Return how many of its units have their slots before a moment."""
        if self.rate is None:
            return self.units
        return min(self.units, (at - self.base) * self.rate + self.tolerance)

    def wait(self, sums: Sequence[float]) -> float:
        """
        Return the seconds until the rest may be asked for; 0.0 if all is booked.

        Units that become free within half the time ahead are asked for together.
        """
        if self.paused_until is not None and self.paused_until > self.now:
            return self.paused_until - self.now
        following = next((each for each in sums if each > self.units + _EPSILON), None)
        if following is None or self.rate is None:
            return 0.0
        first = self.slot(following) - self.ahead - self.now
        whole = self.slot(sums[-1]) - self.ahead - self.now
        return max(first, min(whole, self.ahead / 2), 0.001)

    def shifted(self, by: float) -> Grant:
        """Return it by a clock that is ahead by so many seconds."""
        return replace(
            self,
            now=self.now + by,
            base=self.base + by,
            paused_until=None if self.paused_until is None else self.paused_until + by,
        )


def horizon(share: float, burst: float, rate: float) -> float:
    """
    Return how many seconds ahead of its slot a lane books.

    Far enough that no worker has to be punctual; where the burst allows, near enough that bookings
    of lanes with a smaller share do not use the other lanes' part of the burst.
    """
    span = burst / rate
    if share >= 1:
        return max(AHEAD, min(1 / rate, FAR_AHEAD))
    return min(AHEAD, max(RESERVE * (1 - share) * span, SLACK - share * span))


def furthest(state: LimitState, burst: float, rate: float, *, now: float) -> float:
    """
    Return the latest `tat` that a schedule can reach.

    That is by a pause, the largest message or the whole burst, booked as far ahead as possible. A
    later one was written by a clock that was set back since, and would stop all bookings.
    """
    return now + state.paused(now) + max(burst, LARGEST) / rate + FAR_AHEAD


def book(state: LimitState, limit: Limit, request: BookingRequest, *, now: float) -> Grant:
    """Book the longest run of costs that fits; `Grant.tat` is the schedule's new `tat`."""
    rate = state.rate(limit, now)
    if rate is None:
        return _unlimited(state, request, now)
    burst = limit.tolerance(rate)
    base = min(max(state.tat, now), furthest(state, burst, rate, now=now))
    tolerance = max(request.share * burst, request.largest)
    reach = horizon(request.share, burst, rate)
    ahead = min(request.ahead, reach)
    at_once = (now - base) * rate + tolerance
    paused = state.paused(now) > 0
    return Grant(
        now=now,
        base=base,
        rate=rate,
        burst=burst,
        tolerance=tolerance,
        ahead=ahead,
        horizon=reach,
        units=0.0 if paused else _fitting(request, at_once, at_once + ahead * rate),
        paused_until=state.paused_until,
    )


def _fitting(request: BookingRequest, at_once: float, room: float) -> float:
    """Return the units to book where *room* units fit, *at_once* of them without booking ahead."""
    total = request.sums[-1]
    if room >= total:
        return max(total, min(request.lease, at_once))
    return max((each for each in request.sums if each <= room), default=0.0)


def _unlimited(state: LimitState, request: BookingRequest, now: float) -> Grant:
    return Grant(
        now=now,
        base=max(state.tat, now),
        rate=None,
        burst=0.0,
        tolerance=0.0,
        ahead=0.0,
        horizon=0.0,
        units=0.0 if state.paused(now) > 0 else request.sums[-1],
        paused_until=state.paused_until,
    )
