"""When bounces and complaints endanger a sender's reputation, so that bulk mail has to stop."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass


class Level(enum.IntEnum):
    """How bad a rate is."""

    GOOD = 0
    WARN = 1
    HOLD = 2


@dataclass(frozen=True, slots=True)
class Reports:
    """How many messages of one source through one provider had each end, in a window of time."""

    delivered: int = 0
    bounced: int = 0
    complained: int = 0

    @property
    def ended(self) -> int:
        """Messages whose delivery was reported; a complaint follows a delivery."""
        return self.delivered + self.bounced


@dataclass(frozen=True, slots=True)
class RateThreshold:
    """The shares from which to warn, and from which to hold."""

    warn: float
    hold: float

    def level(self, share: float) -> Level:
        """Return how bad a share is."""
        if share >= self.hold:
            return Level.HOLD
        return Level.WARN if share >= self.warn else Level.GOOD


@dataclass(frozen=True, slots=True)
class Judgement:
    """One rate, how bad it is, and the messages that it was computed from."""

    kind: str
    """`bounces` or `complaints`."""
    share: float
    level: Level
    ended: int

    def __str__(self) -> str:
        """Return it as shown to operators."""
        return f"{self.share:.2%} {self.kind} of {self.ended} emails"


@dataclass(frozen=True, slots=True)
class ReputationRules:
    """The thresholds, and the fewest ended messages from which a rate is computed."""

    bounces: RateThreshold = RateThreshold(warn=0.05, hold=0.10)
    complaints: RateThreshold = RateThreshold(warn=0.001, hold=0.003)
    minimum: int = 1000

    def judge(self, reports: Reports) -> Iterator[Judgement]:
        """Yield both rates; none below the minimum."""
        ended = reports.ended
        if ended < max(1, self.minimum):
            return
        for kind, count, threshold in (
            ("bounces", reports.bounced, self.bounces),
            ("complaints", reports.complained, self.complaints),
        ):
            share = count / ended
            yield Judgement(kind, share, threshold.level(share), ended)
