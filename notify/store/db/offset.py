"""How far the monotonic clock is ahead of the database's."""

from __future__ import annotations

import math
import threading

SPAN = 5.0
"""Seconds in which the best of the samples counts, and as long again."""
STEP = 1.0
"""Seconds by which no answer is late: the database's clock was set back."""


class ClockOffset:
    """
    Estimates it from answers, each of which came later than the database read its clock.

    The quickest answer of late is nearest to the truth: where a lock or a busy machine held one
    up, its slots are not shifted by that, and processes agree on them. Safe among threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._best = self._before = math.inf
        self._turn = -math.inf

    def learn(self, database: float, *, now: float) -> float:
        """
        Take one sample; give the estimate.

        Args:
            database: The time in an answer, by the database's clock.
            now: When the answer came, by the monotonic clock.
        """
        sample = now - database
        with self._lock:
            if sample > min(self._best, self._before) + STEP:
                self._best = self._before = math.inf
            if now >= self._turn:
                self._before, self._best, self._turn = self._best, math.inf, now + SPAN
            self._best = min(self._best, sample)
            return min(self._best, self._before)
