"""The dry run: what a replay would do, and how long it would take."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from notify.deadletters.assessment import LetterAssessment
from notify.deadletters.eligibility import Eligibility
from notify.deadletters.replay_request import ReplayRequest
from notify.message import Channel


@dataclass(slots=True)
class ReplayPlan:
    """The effect that a replay would have."""

    letters: int = 0
    reports: int = 0
    """Receipts and producers' reports to publish again."""
    settled: int = 0
    """Chosen letters that are no longer waiting."""
    eligibilities: Counter[Eligibility] = field(default_factory=Counter)
    replayed: Counter[Channel] = field(default_factory=Counter)
    unfit: dict[int, str] = field(default_factory=dict)
    """Why letters cannot be sent as they are written, or would fail again, by their ids."""
    begins: dict[Channel, datetime] = field(default_factory=dict)
    """When the last slot of earlier replays of a channel is, if any is still to come."""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to replay."""
        return not self.replayed and not self.reports

    def seconds(self, rate: float, *, now: datetime) -> float:
        """Return the seconds until the last notification is sent, at *rate* a second."""
        times = [
            max(0.0, (self.begins.get(channel, now) - now).total_seconds()) + number / rate
            for channel, number in self.replayed.items()
        ]
        return max(times, default=0.0)

    def add(self, assessment: LetterAssessment, request: ReplayRequest) -> None:
        """Count one letter."""
        self.letters += 1
        self.eligibilities.update(assessment.eligibilities)
        self.reports += assessment.report is not None and not assessment.unfit
        selected = assessment.selected(request)
        self.replayed.update(part.notification.channel for part in selected)
        if why := assessment.unfit or assessment.fails:
            self.unfit[assessment.letter.id] = why
