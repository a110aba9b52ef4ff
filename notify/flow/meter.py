"""A recent rate of something, in units a second."""

from __future__ import annotations

import math


class Meter:
    """A rate over the last seconds; older amounts fade."""

    def __init__(self, span: float, *, now: float) -> None:
        """
        Start at zero.

        Args:
            span: The seconds over which the rate is measured.
            now: The present, by the clock of all later calls.
        """
        self._span = span
        self._begun = self._at = now
        self._sum = 0.0

    def add(self, amount: float, now: float) -> None:
        """Count an amount."""
        self._sum = self._faded(now) + amount
        self._at = max(self._at, now)

    def rate(self, now: float) -> float:
        """Return the rate a second; a meter younger than its span measures over its age."""
        age = max(now - self._begun, self._span / 100)
        return self._faded(now) / (self._span * -math.expm1(-age / self._span))

    def _faded(self, now: float) -> float:
        return self._sum * math.exp(min(0.0, self._at - now) / self._span)
