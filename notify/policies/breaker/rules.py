"""When a circuit opens, and how long it stays open."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass

EARLIEST = 0.8
"""The least part of an open time that is drawn, so that circuits are not probed together."""
_DOUBLINGS = 60
_SLICES = 30
_SHORTEST, _LONGEST = 1.0, 5.0


@dataclass(frozen=True, slots=True)
class Counts:
    """Calls by how they ended. Neutral ones are not among `calls`."""

    calls: int = 0
    failures: int = 0
    slow: int = 0
    unreachable: int = 0
    neutral: int = 0

    def __add__(self, other: Counts) -> Counts:
        """Add up two spans."""
        return Counts(
            self.calls + other.calls,
            self.failures + other.failures,
            self.slow + other.slow,
            self.unreachable + other.unreachable,
            self.neutral + other.neutral,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """
    When a circuit opens, and how it is probed. All times in seconds.

    Attributes:
        window: The time for which calls count.
        minimum_calls: With fewer calls, no rate is judged.
        failure_rate: The part of failed calls that opens it.
        slow_call: The duration from which a call is slow.
        slow_rate: The part of slow calls that opens it.
        unreachable: Failures to connect that open it without the minimum of calls, if they are
            the failure rate's part of all calls.
        first_open: How long it stays open at first. Doubles each time that a probe fails.
        longest_open: The longest time that it stays open.
        probes: Good probes in a row that close it.
        probe_timeout: The time after which another probe is admitted.
    """

    window: float = 60.0
    minimum_calls: int = 20
    failure_rate: float = 0.5
    slow_call: float = 5.0
    slow_rate: float = 0.8
    unreachable: int = 5
    first_open: float = 5.0
    longest_open: float = 120.0
    probes: int = 3
    probe_timeout: float = 30.0

    @property
    def slice_ms(self) -> int:
        """Milliseconds of one slice of time, by which calls are counted: 1 to 5 seconds."""
        return round(min(max(self.window / _SLICES, _SHORTEST), _LONGEST) * 1000)

    def slice_at(self, now: float) -> int:
        """Return the slice that *now* is in, by the millisecond at which it begins."""
        return int(now * 1000) // self.slice_ms * self.slice_ms

    def spans(self, now: float) -> tuple[int, int]:
        """
        Return the first slice of the window, and the first of its most recent part.

        That part is the present slice and the one before it: the good calls of a busy provider a
        minute ago must not hide for half a minute that it is down.
        """
        present = self.slice_at(now)
        slices = max(round(self.window * 1000) // self.slice_ms, 2)
        return present - (slices - 1) * self.slice_ms, present - self.slice_ms

    def sums(self, slices: Iterable[tuple[int, Counts]], now: float) -> tuple[Counts, Counts]:
        """Return the calls in the window, and in its most recent part."""
        first, recent = self.spans(now)
        present = self.slice_at(now)
        whole = latest = Counts()
        for begin, counts in slices:
            if first <= begin <= present:
                whole += counts
            if recent <= begin <= present:
                latest += counts
        return whole, latest

    def trip_cause(self, *spans: Counts) -> str | None:
        """Return why the calls of any of the spans open the circuit; None if they do not."""
        return next(filter(None, map(self._judge, spans)), None)

    def _judge(self, counts: Counts) -> str | None:
        failed = counts.failures >= self.failure_rate * counts.calls
        if failed and counts.unreachable >= self.unreachable:
            return f"{counts.unreachable} of {counts.calls} calls could not connect"
        if counts.calls < self.minimum_calls:
            return None
        if failed:
            return f"{counts.failures} of {counts.calls} calls failed"
        if counts.slow >= self.slow_rate * counts.calls:
            return f"{counts.slow} of {counts.calls} calls took {self.slow_call:g} s or more"
        return None

    def open_seconds(self, trips: int, rng: random.Random) -> float:
        """Draw how long the circuit stays open when it opens for the *trips*-th time."""
        doubled = self.first_open * 2.0 ** min(max(trips - 1, 0), _DOUBLINGS)
        return min(doubled, self.longest_open) * rng.uniform(EARLIEST, 1.0)
