"""The step after a call: a notification is sent, ended, retried, or left to an operator."""

from __future__ import annotations

import enum
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from notify.message import Channel, Notification, Status, Unknown
from notify.policies import backoff

LONGEST_LOOKUP_WAIT = timedelta(minutes=10)
"""The longest wait between two look-ups while the provider cannot be asked."""

LONGEST_RETRY_AFTER = 30 * 86_400.0
"""The longest wait in seconds that a vendor can request; every deadline comes first."""


class Verdict(enum.Enum):
    """The result of a call for one notification."""

    SENT = "sent"
    REJECTED = "rejected"
    """The provider will never accept it."""
    RETRY = "retry"
    """Certainly not sent; it may be sent later."""
    THROTTLED = "throttled"
    """Certainly not sent, because of the provider's rate limit: does not count as an attempt."""
    UNKNOWN = "unknown"
    """It may have been sent."""


@dataclass(frozen=True, slots=True)
class RetrySettings:
    """How often, and for how long, one lane retries."""

    attempts: int
    deadline: timedelta
    """From when a notification was received, or from its `send_at`; it may expire earlier."""
    first: timedelta
    most: timedelta


DEFAULT_RETRY = RetrySettings(
    attempts=8,
    deadline=timedelta(hours=6),
    first=timedelta(seconds=2),
    most=timedelta(minutes=10),
)
"""The settings of a lane that is no longer configured."""


@dataclass(frozen=True, slots=True)
class UnknownRules:
    """The rule for unknown outcomes: the template's, else the lane's, else the channel's."""

    channels: Mapping[Channel, Unknown]
    lanes: Mapping[tuple[str, Channel], Unknown] = field(default_factory=dict)
    templates: Mapping[str, Unknown] = field(default_factory=dict)

    def of(self, notification: Notification) -> Unknown:
        """Return the rule for one notification."""
        by_template = self.templates.get(notification.template or "")
        by_lane = self.lanes.get((notification.lane, notification.channel))
        return by_template or by_lane or self.channels[notification.channel]


@dataclass(frozen=True, slots=True)
class History:
    """The earlier calls of a notification."""

    received_at: datetime
    spent: int
    """Earlier calls that count against the lane's limit."""


@dataclass(frozen=True, slots=True)
class NextStep:
    """The state of a notification after a call."""

    status: Status
    spent: int
    due_at: datetime | None = None
    """When it is due again; None if it is not, or only by an operator."""
    possible_duplicate: bool = False
    note: str = ""
    """Why no attempt follows, in addition to the call's own reason."""


class RetryPolicy:
    """Decides what follows a call, by the lane's settings and the rules for unknown outcomes."""

    def __init__(
        self,
        *,
        lanes: Mapping[str, RetrySettings],
        unknown: UnknownRules,
        lookups: Mapping[Channel, timedelta],
        rng: random.Random,
    ) -> None:
        """
        Keep the rules.

        Args:
            lanes: The settings of each lane.
            unknown: The rules for unknown outcomes.
            lookups: The channels whose provider can be asked whether it accepted a message, and
                the wait between a lost answer and the look-up: the provider's list is updated late.
            rng: Spreads the retries.
        """
        self._lanes = lanes
        self._unknown = unknown
        self._lookups = lookups
        self._rng = rng

    def after(
        self,
        verdict: Verdict,
        notification: Notification,
        history: History,
        *,
        now: datetime,
        retry_after: float | None = None,
    ) -> NextStep:
        """Return the step after a call; *retry_after* is the vendor's requested wait in seconds."""
        match verdict:
            case Verdict.SENT:
                return NextStep(Status.SENT, history.spent + 1)
            case Verdict.REJECTED:
                return NextStep(Status.REJECTED, history.spent + 1)
            case Verdict.UNKNOWN if notification.channel in self._lookups:
                due = now + self._lookups[notification.channel]
                return NextStep(Status.UNKNOWN, history.spent + 1, due_at=due)
            case Verdict.UNKNOWN:
                return self.unresolved(notification, history, now=now)
            case Verdict.THROTTLED:
                return self._again(
                    notification, history.received_at, history.spent, now, retry_after
                )
            case Verdict.RETRY:
                spent = history.spent + 1
                return self._again(notification, history.received_at, spent, now, retry_after)

    def allows_another(
        self, notification: Notification, history: History, *, now: datetime
    ) -> bool:
        """Return whether one more call may be made at once, to another provider."""
        lane = self._lanes.get(notification.lane, DEFAULT_RETRY)
        end = _deadline_start(notification, history.received_at) + lane.deadline
        if notification.expires_at is not None:
            end = min(end, notification.expires_at)
        return history.spent < lane.attempts and now < end

    def next_lookup(
        self,
        notification: Notification,
        history: History,
        *,
        lost_at: datetime,
        now: datetime,
        retry_after: float | None = None,
    ) -> datetime | None:
        """
        Return when to repeat a look-up for which the provider could not be asked.

        Args:
            lost_at: When the call ended; the waits double from then on.
            retry_after: The vendor's requested wait in seconds.

        Returns:
            The time, or None if the lane's deadline comes first: `unresolved` decides then.
        """
        first = self._lookups.get(notification.channel, timedelta())
        wait = min(max(now - lost_at, first), LONGEST_LOOKUP_WAIT)
        lane = self._lanes.get(notification.lane, DEFAULT_RETRY)
        end = _deadline_start(notification, history.received_at) + lane.deadline
        # Where the wait would pass the deadline, the last look-up is at the deadline.
        due = max(min(now + wait, end), now + _requested(retry_after))
        return due if now < due <= end else None

    def unresolved(
        self, notification: Notification, history: History, *, now: datetime
    ) -> NextStep:
        """Return the step after a lost answer that cannot be looked up, or was not found."""
        spent = history.spent + 1
        if self._unknown.of(notification) is Unknown.PARK:
            return NextStep(Status.UNKNOWN, spent)
        following = self._again(notification, history.received_at, spent, now, None)
        if following.status is Status.QUEUED:
            return NextStep(Status.QUEUED, spent, following.due_at, possible_duplicate=True)
        # It may have arrived, so it has not failed.
        return NextStep(Status.UNKNOWN, spent, note=following.note)

    def _again(
        self,
        notification: Notification,
        received_at: datetime,
        spent: int,
        now: datetime,
        retry_after: float | None,
    ) -> NextStep:
        lane = self._lanes.get(notification.lane, DEFAULT_RETRY)
        if spent >= lane.attempts:
            return NextStep(Status.FAILED, spent, note=f"given up after {spent} attempts")
        wait = backoff.delay(max(spent, 1), first=lane.first, most=lane.most, rng=self._rng)
        due = now + max(wait, _requested(retry_after))
        if notification.expires_at is not None and due >= notification.expires_at:
            return NextStep(Status.FAILED, spent, note="it would expire before the next attempt")
        if due >= _deadline_start(notification, received_at) + lane.deadline:
            return NextStep(
                Status.FAILED, spent, note="the lane's deadline comes before the next attempt"
            )
        return NextStep(Status.QUEUED, spent, due)


def _deadline_start(notification: Notification, received_at: datetime) -> datetime:
    """When the lane's deadline starts to run: for a scheduled message, at its `send_at`."""
    return max(received_at, notification.send_at or received_at)


def _requested(retry_after: float | None) -> timedelta:
    """The vendor's requested wait, bounded: a provider may return any number."""
    return timedelta(seconds=min(max(0.0, retry_after or 0.0), LONGEST_RETRY_AFTER))
