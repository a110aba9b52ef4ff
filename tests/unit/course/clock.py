"""The time of a simulated world, which a test advances."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.support.recording import NOW


@dataclass(slots=True)
class Clock:
    """One clock for all processes; some are behind it."""

    now: datetime = NOW

    def passes(self, seconds: float) -> None:
        """Advance the time."""
        self.now += timedelta(seconds=seconds)

    def monotonic(self) -> float:
        """Return seconds since the beginning."""
        return (self.now - NOW).total_seconds()
