"""The time of a simulated world: it passes when told to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.support.recording import NOW


@dataclass(slots=True)
class Clock:
    """One clock for all; some processes' own are behind it."""

    now: datetime = NOW

    def passes(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)

    def monotonic(self) -> float:
        """Give seconds since the beginning."""
        return (self.now - NOW).total_seconds()
