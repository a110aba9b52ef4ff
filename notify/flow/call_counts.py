"""Counts of one process's calls through one provider, until they are in the store."""

from __future__ import annotations

import threading
from collections import deque

from notify.policies.breaker import Counts, Kind, Rules


class CallCounts:
    """Counts the calls of one generation of a circuit. Safe among threads."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._lock = threading.Lock()
        self._generation = 0
        self._calls = self._failures = self._slow = self._unreachable = self._neutral = 0
        self._taken: deque[tuple[int, Counts]] = deque()

    def add(self, generation: int, kind: Kind, seconds: float) -> None:
        """Count a call, unless it belongs to an earlier generation."""
        with self._lock:
            if generation != self._generation:
                return
            if kind is Kind.NEUTRAL:
                self._neutral += 1
                return
            self._calls += 1
            if kind is not Kind.SUCCESS:
                self._failures += 1
                self._unreachable += kind is Kind.UNREACHABLE
            self._slow += seconds >= self._rules.slow_call

    def begin(self, generation: int) -> None:
        """Start a generation: drop all counts of another one."""
        with self._lock:
            if generation != self._generation:
                self._generation = generation
                self._clear()
                self._taken.clear()

    def take(self, now: float) -> tuple[int, Counts]:
        """Return the generation, and the calls since the last `take`."""
        with self._lock:
            taken = Counts(
                self._calls, self._failures, self._slow, self._unreachable, self._neutral
            )
            self._clear()
            oldest, _ = self._rules.spans(now)
            while self._taken and self._taken[0][0] < oldest:
                self._taken.popleft()
            if taken != Counts():
                self._taken.append((self._rules.slice_at(now), taken))
            return self._generation, taken

    def spans(self, now: float) -> tuple[Counts, Counts]:
        """Return this process's own calls: in the window, and in its most recent part."""
        with self._lock:
            return self._rules.sums(self._taken, now)

    def _clear(self) -> None:
        self._calls = self._failures = self._slow = self._unreachable = self._neutral = 0
