"""A limit as configured, and its shared state: the rate in force, and its reason."""

from __future__ import annotations

from dataclasses import dataclass, replace

RECOVERY = 0.02
"""The part of the rate before the first cut that is restored each second."""
LONGEST_PAUSE = 3600.0
"""Seconds after which a provider is called again, whatever wait it asked for."""
FORGOTTEN = 2.0
"""At this multiple of that rate, a limit that is not configured no longer applies."""
SET_BACK = 1.0
"""A time further ahead than this many seconds was written by a clock that was set back since."""
LARGEST = 100.0
"""The most units that one message costs."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit as configured in this process."""

    name: str
    rate: float | None = None
    """Units a second; None if only a provider's complaints or an operator limit it."""
    burst: float | None = None
    """Units that may come on top in any span of time; None for the units of one second."""

    def tolerance(self, rate: float) -> float:
        """
        Return how many units may be used at once at a rate: half the burst.

        The other half covers delays between a slot and its call. At a lowered rate, the burst is
        smaller in proportion.
        """
        if self.rate is None:
            return max(rate, 1.0) / 2
        return self.half * min(1.0, rate / self.rate)

    @property
    def half(self) -> float:
        """Half of the configured burst, in units."""
        return (self.burst or max(self.rate or 1.0, 1.0)) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitState:
    """A limit's state, shared by the fleet; times in seconds by the database's clock."""

    tat: float = 0.0
    lowered: float | None = None
    lowered_from: float | None = None
    lowered_at: float | None = None
    paused_until: float | None = None
    set_rate: float | None = None
    set_until: float | None = None

    def ceiling(self, limit: Limit, now: float) -> float | None:
        """Return the rate without complaints: the operator's while in force, or the configured."""
        if self.set_rate is not None and (self.set_until is None or self.set_until > now):
            return self.set_rate
        return limit.rate

    def recovered(self, now: float) -> float | None:
        """Return the rate restored since the last complaint; None without a complaint."""
        if self.lowered is None or self.lowered_from is None or self.lowered_at is None:
            return None
        return self.lowered + RECOVERY * self.lowered_from * max(0.0, now - self.lowered_at)

    def rate(self, limit: Limit, now: float) -> float | None:
        """Return the rate in force, in units a second; None where nothing limits."""
        ceiling, recovered = self.ceiling(limit, now), self.recovered(now)
        if recovered is None:
            return ceiling
        if ceiling is not None:
            return min(ceiling, recovered)
        return None if recovered > FORGOTTEN * (self.lowered_from or 0.0) else recovered

    def paused(self, now: float) -> float:
        """Return for how many seconds nothing is granted."""
        return 0.0 if self.paused_until is None else max(0.0, self.paused_until - now)

    def booked(self, tat: float, paused_until: float | None) -> LimitState:
        """Return it after a booking; of two pauses the longer."""
        longer = max((each for each in (self.paused_until, paused_until) if each), default=None)
        return replace(self, tat=tat, paused_until=longer)

    def corrected(self, written_at: float, now: float) -> LimitState:
        """
        Return it corrected, if the clock was set back since it was written.

        Granted units and a pause keep their length, and begin again from now.

        Args:
            written_at: When it was last written, by the same clock as *now*.
        """
        back = max(0.0, written_at - now)
        # An operator's time was given as a time of day, and stays.
        moved = replace(self.shifted(-back), set_until=self.set_until)
        changed = moved if back > SET_BACK else self
        if changed.paused(now) <= LONGEST_PAUSE + SET_BACK:
            return changed
        return replace(changed, paused_until=now + LONGEST_PAUSE)

    def shifted(self, by: float) -> LimitState:
        """Return it by a clock that is ahead by so many seconds."""
        return replace(
            self,
            tat=self.tat + by,
            lowered_at=None if self.lowered_at is None else self.lowered_at + by,
            paused_until=None if self.paused_until is None else self.paused_until + by,
            set_until=None if self.set_until is None else self.set_until + by,
        )
