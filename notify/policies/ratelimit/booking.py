"""Booking units of a limit: as many as fit, each with the moment at which it may go."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from notify.policies.ratelimit.limit_state import LARGEST, Limit, LimitState

AHEAD = 0.25
"""Seconds ahead that a slot is booked at most where slots are close to each other."""
FAR_AHEAD = 2.0
"""Seconds ahead that the first among the lanes books at most where they are far apart."""
SLACK = 0.15
"""Seconds that all workers may oversleep before a lane's part of the rate is lost."""
RESERVE = 0.75
"""Which part of the burst that a lane leaves to others its bookings ahead leave too."""
_EPSILON = 1e-9


@dataclass(frozen=True, slots=True)
class BookingRequest:
    """What a worker wants to book."""

    sums: Sequence[float]
    """The running sums of the costs, in units."""
    largest: float
    """The largest of the costs."""
    stock: float
    """How much to lease in all while there is plenty; no more than asked where less."""
    share: float
    """Which part of the tolerance it may use."""
    ahead: float = math.inf
    """At most how many seconds ahead of its slot it may book."""

    @classmethod
    def of(
        cls,
        costs: Sequence[float],
        *,
        share: float,
        stock: float = 0.0,
        ahead: float = math.inf,
    ) -> BookingRequest:
        """Ask for costs, each greater than 0, in their order."""
        return cls(tuple(accumulate(costs)), max(costs), stock, share, ahead)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What was booked: so many units, each with its slot."""

    now: float
    """When, by the clock of its maker; all its times are by this clock."""
    base: float
    """Where the schedule stood."""
    rate: float | None
    """The rate in force; None where nothing limits."""
    burst: float
    """Units that may go at once at this rate, for a share of 1."""
    tolerance: float
    """Units that might go at once by this booking."""
    ahead: float
    """Seconds ahead that it might book."""
    horizon: float
    """Seconds ahead that it might have booked, had it not been told to stay nearer."""
    units: float
    """How many are booked."""
    paused_until: float | None
    """Before then nothing is booked."""

    @property
    def tat(self) -> float:
        """Where the schedule stands now."""
        return self.base if self.rate is None else self.base + self.units / self.rate

    @property
    def lapse(self) -> float:
        """Seconds after its slot in which a unit must be used; after that it is lost."""
        if self.rate is None:
            return 0.0
        return max(0.0, 2 * self.burst - max(self.burst, self.tolerance)) / (2 * self.rate)

    def slot(self, units: float) -> float:
        """Tell when the last of so many of its units may go."""
        if self.rate is None:
            return self.now
        return max(self.now, self.base + (units - self.tolerance) / self.rate)

    def within(self, at: float) -> float:
        """Tell how many of its units have their slots before a moment."""
        if self.rate is None:
            return self.units
        return min(self.units, (at - self.base) * self.rate + self.tolerance)

    def wait(self, sums: Sequence[float]) -> float:
        """
        Tell in how many seconds the rest is worth asking for; 0.0 if all is booked.

        Not for each unit alone: what comes together within half the time ahead is asked for
        together.
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
        """Give it in the terms of a clock that is ahead by so many seconds."""
        return replace(
            self,
            now=self.now + by,
            base=self.base + by,
            paused_until=None if self.paused_until is None else self.paused_until + by,
        )


def horizon(share: float, burst: float, rate: float) -> float:
    """
    Tell how many seconds ahead of its slot a lane books.

    Far enough that nobody has to be punctual; where the burst allows, near enough that what the
    lanes of a smaller share have booked leaves the others' part of the burst alone.
    """
    span = burst / rate
    if share >= 1:
        return max(AHEAD, min(1 / rate, FAR_AHEAD))
    return min(AHEAD, max(RESERVE * (1 - share) * span, SLACK - share * span))


def furthest(standing: LimitState, burst: float, rate: float, *, now: float) -> float:
    """
    Tell how far ahead a schedule may stand at most.

    So far it gets by a pause, the largest message or the whole burst, booked as far ahead as may
    be. What stands further was written by a clock that was set back since, and would stop all.
    """
    return now + standing.paused(now) + max(burst, LARGEST) / rate + FAR_AHEAD


def book(standing: LimitState, limit: Limit, ask: BookingRequest, *, now: float) -> Grant:
    """Book the longest run of costs that fits; `Grant.tat` is where the schedule stands then."""
    rate = standing.rate(limit, now)
    base = max(standing.tat, now)
    paused = standing.paused(now) > 0
    total = ask.sums[-1]
    if rate is None:
        units = 0.0 if paused else total
        return Grant(
            now=now,
            base=base,
            rate=None,
            burst=0.0,
            tolerance=0.0,
            ahead=0.0,
            horizon=0.0,
            units=units,
            paused_until=standing.paused_until,
        )
    burst = limit.tolerance(rate)
    base = min(base, furthest(standing, burst, rate, now=now))
    tolerance = max(ask.share * burst, ask.largest)
    reach = horizon(ask.share, burst, rate)
    ahead = min(ask.ahead, reach)
    at_once = (now - base) * rate + tolerance
    room = at_once + ahead * rate
    if paused:
        units = 0.0
    elif room >= total:
        units = max(total, min(ask.stock, at_once))
    else:
        units = max((each for each in ask.sums if each <= room), default=0.0)
    return Grant(
        now=now,
        base=base,
        rate=rate,
        burst=burst,
        tolerance=tolerance,
        ahead=ahead,
        horizon=reach,
        units=units,
        paused_until=standing.paused_until,
    )
