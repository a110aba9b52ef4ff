"""How fast one may go: the arithmetic of a limit that a fleet shares. It keeps no clock itself.

A limit is a schedule (GCRA): each unit takes 1/rate seconds of it, and `tat` is when all that was
granted would be through. A unit may go up to the tolerance before its turn, and be booked some
time ahead of its slot. docs/limits.md gives the formulas and what follows from them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

CUT = 0.7
"""What a provider's complaint leaves of a rate."""
CUT_EVERY = 1.0
"""Seconds in which only the first of many complaints cuts: they speak of the same moment."""
RECOVERY = 0.02
"""Which part of the rate before the first cut comes back each second."""
FORGOTTEN = 2.0
"""At so many times that rate, a limit that nobody configured is forgotten."""
LONGEST_PAUSE = 3600.0
"""Seconds after which a provider is tried again, whatever it said."""

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
class Limit:
    """A limit as this process's configuration has it."""

    name: str
    rate: float | None = None
    """Units a second; None where only the provider's complaints or an operator limit it."""
    burst: float | None = None
    """Units that may come on top in any span of time; None for what one second brings."""

    def tolerance(self, rate: float) -> float:
        """
        Tell how many units may go at once at a rate: half the burst.

        The other half pays for what happens between a slot and its call. At a lowered rate, the
        burst is smaller in proportion.
        """
        if self.rate is None:
            return max(rate, 1.0) / 2
        return self.half * min(1.0, rate / self.rate)

    @property
    def half(self) -> float:
        """Half of the configured burst, in units."""
        return (self.burst or max(self.rate or 1.0, 1.0)) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A limit as the whole fleet shares it; times in seconds by the database's clock."""

    tat: float = 0.0
    lowered: float | None = None
    lowered_from: float | None = None
    lowered_at: float | None = None
    paused_until: float | None = None
    set_rate: float | None = None
    set_until: float | None = None

    def ceiling(self, limit: Limit, now: float) -> float | None:
        """Tell the rate without complaints: an operator's while it stands, or the configured."""
        if self.set_rate is not None and (self.set_until is None or self.set_until > now):
            return self.set_rate
        return limit.rate

    def recovered(self, now: float) -> float | None:
        """Tell how far the rate has come back since the last complaint; None without any."""
        if self.lowered is None or self.lowered_from is None or self.lowered_at is None:
            return None
        return self.lowered + RECOVERY * self.lowered_from * max(0.0, now - self.lowered_at)

    def rate(self, limit: Limit, now: float) -> float | None:
        """Tell the rate in force, in units a second; None where nothing limits."""
        ceiling, recovered = self.ceiling(limit, now), self.recovered(now)
        if recovered is None:
            return ceiling
        if ceiling is not None:
            return min(ceiling, recovered)
        return None if recovered > FORGOTTEN * (self.lowered_from or 0.0) else recovered

    def paused(self, now: float) -> float:
        """Tell for how many seconds nothing is granted."""
        return 0.0 if self.paused_until is None else max(0.0, self.paused_until - now)

    def shifted(self, by: float) -> Standing:
        """Give it in the terms of a clock that is ahead by so many seconds."""
        return replace(
            self,
            tat=self.tat + by,
            lowered_at=None if self.lowered_at is None else self.lowered_at + by,
            paused_until=None if self.paused_until is None else self.paused_until + by,
            set_until=None if self.set_until is None else self.set_until + by,
        )


@dataclass(frozen=True, slots=True)
class Ask:
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
    ) -> Ask:
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


def book(standing: Standing, limit: Limit, ask: Ask, *, now: float) -> Grant:
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
            units=units,
            paused_until=standing.paused_until,
        )
    burst = limit.tolerance(rate)
    tolerance = max(ask.share * burst, ask.largest)
    ahead = min(ask.ahead, horizon(ask.share, burst, rate))
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
        units=units,
        paused_until=standing.paused_until,
    )


def pause(standing: Standing, *, seconds: float, now: float) -> Standing:
    """Grant nothing for some seconds; a rate that recovers does not do so meanwhile."""
    until = now + min(seconds, LONGEST_PAUSE)
    if seconds <= standing.paused(now):
        return standing
    paused = replace(standing, paused_until=until)
    recovered = standing.recovered(now)
    return paused if recovered is None else replace(paused, lowered=recovered, lowered_at=until)


def cut(
    standing: Standing,
    limit: Limit,
    *,
    retry_after: float | None,
    calls_per_second: float,
    now: float,
) -> Standing:
    """
    Heed a provider's complaint that it is asked too much: go slower, and pause if it says so.

    Where no rate is in force, the rate of the calls is what it complains of. What is left of the
    burst is void, so that it is not asked for many at once after the pause. Complaints that
    arrive during a pause, or within a second of a cut, are about calls from before it.
    """
    changed = standing
    recent = standing.lowered_at is not None and now - standing.lowered_at < CUT_EVERY
    if not recent and not standing.paused(now):
        changed = _lowered(standing, limit, calls_per_second, now)
    changed = pause(changed, seconds=retry_after or 0.0, now=now)
    rate = changed.rate(limit, now)
    if changed is standing or rate is None:
        return changed
    void = now + changed.paused(now) + min(limit.tolerance(rate) / rate, 1.0)
    return replace(changed, tat=max(standing.tat, void))


def _lowered(standing: Standing, limit: Limit, calls_per_second: float, now: float) -> Standing:
    rate = standing.rate(limit, now)
    before = max(calls_per_second, 1.0) if rate is None else rate
    # While it recovers, the goal stays: a storm of complaints must not make it forget it.
    recovering = rate is not None and rate == standing.recovered(now)
    goal = max(before, standing.lowered_from or 0.0) if recovering else before
    lowered = max(CUT * before, RECOVERY * goal)
    return replace(standing, lowered=lowered, lowered_from=goal, lowered_at=now)
