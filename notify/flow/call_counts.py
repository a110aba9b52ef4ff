"""How one process's calls through one provider end, until they are told to the others."""

from __future__ import annotations

import threading
from collections import deque

from notify.policies.breaker import Counts, Kind, Rules


class CallCounts:
    """Counts the calls of one generation of a circuit. Safe to share among threads."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._lock = threading.Lock()
        self._generation = 0
        self._calls = self._failures = self._slow = self._unreachable = self._neutral = 0
        self._told: deque[tuple[int, Counts]] = deque()

    def add(self, generation: int, kind: Kind, seconds: float) -> None:
        """Count a call, unless it is one of an earlier generation."""
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
        """Forget all calls, unless they are of this generation."""
        with self._lock:
            if generation != self._generation:
                self._generation = generation
                self._clear()
                self._told.clear()

    def take(self, now: float) -> tuple[int, Counts]:
        """Give the generation, and what was counted since this was last asked."""
        with self._lock:
            taken = Counts(
                self._calls, self._failures, self._slow, self._unreachable, self._neutral
            )
            self._clear()
            oldest, _ = self._rules.spans(now)
            while self._told and self._told[0][0] < oldest:
                self._told.popleft()
            if taken != Counts():
                self._told.append((self._rules.slice_at(now), taken))
            return self._generation, taken

    def spans(self, now: float) -> tuple[Counts, Counts]:
        """Give what this process alone has seen: in the window, and in its most recent part."""
        with self._lock:
            return self._rules.sums(self._told, now)

    def _clear(self) -> None:
        self._calls = self._failures = self._slow = self._unreachable = self._neutral = 0
