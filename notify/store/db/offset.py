"""How far the monotonic clock is ahead of the database's."""

from __future__ import annotations

import math
import threading

SPAN = 5.0
"""Seconds for which samples are collected; the best of the last two spans counts."""
STEP = 1.0
"""Seconds that no answer takes: a later sample means that the database's clock was set back."""


class ClockOffset:
    """
    Estimates the offset from answers, each of which arrived after the database read its clock.

    The quickest recent answer is the most accurate. So a delay by a lock or a busy machine does not
    shift a process's slots against those of others. Thread-safe.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._best = self._before = math.inf
        self._turn = -math.inf

    def learn(self, database: float, *, now: float) -> float:
        """
        Add one sample, and return the estimate.

        Args:
            database: The time in an answer, by the database's clock.
            now: When the answer arrived, by the monotonic clock.
        """
        sample = now - database
        with self._lock:
            if sample > min(self._best, self._before) + STEP:
                self._best = self._before = math.inf
            if now >= self._turn:
                self._before, self._best, self._turn = self._best, math.inf, now + SPAN
            self._best = min(self._best, sample)
            return min(self._best, self._before)
