"""The units of each limit that one process used, and how often it had to wait."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping


class LimitUsage:
    """Counters by the names of configured limits. Safe among threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._units: dict[str, float] = defaultdict(float)
        self._waits: dict[str, int] = defaultdict(int)

    def add(self, limits: Iterable[str], units: float, *, waited: bool) -> None:
        """Count units booked of all these limits, and whether they were fewer than requested."""
        with self._lock:
            for limit in limits:
                self._units[limit] += units
                self._waits[limit] += waited

    @property
    def units(self) -> Mapping[str, float]:
        """The units used."""
        with self._lock:
            return dict(self._units)

    @property
    def waits(self) -> Mapping[str, int]:
        """How often a limit granted less than was requested."""
        with self._lock:
            return dict(self._waits)
