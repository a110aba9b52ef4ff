"""Log lines that a stranger could cause without end: one at once, then one a minute."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable

PERIOD = 60.0
"""Seconds between two lines about the same subject."""


class Reminder:
    """Counts what happens, and returns when a line is due. Thread-safe."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """Start without a line; *monotonic* returns seconds that never go back."""
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._logged: dict[str, float] = {}
        self._counts: Counter[str] = Counter()

    def due(self, subject: str) -> int:
        """Count one; return how many happened since the last line if one is due, else 0."""
        now = self._monotonic()
        with self._lock:
            self._counts[subject] += 1
            if now - self._logged.get(subject, -math.inf) < PERIOD:
                return 0
            self._logged[subject] = now
            return self._counts.pop(subject)
