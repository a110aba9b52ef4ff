"""How much of something there was a second, lately."""

from __future__ import annotations

import math


class Meter:
    """A rate over the last seconds; what is longer ago fades."""

    def __init__(self, span: float, *, now: float) -> None:
        """
        Begin.

        Args:
            span: Over how many seconds it tells the rate.
            now: The present, by the clock of all later calls.
        """
        self._span = span
        self._begun = self._at = now
        self._sum = 0.0

    def add(self, amount: float, now: float) -> None:
        """Count so much."""
        self._sum = self._faded(now) + amount
        self._at = max(self._at, now)

    def rate(self, now: float) -> float:
        """Tell how much it was a second; a young meter tells by its age."""
        age = max(now - self._begun, self._span / 100)
        return self._faded(now) / (self._span * -math.expm1(-age / self._span))

    def _faded(self, now: float) -> float:
        return self._sum * math.exp(min(0.0, self._at - now) / self._span)
