"""What becomes of a notification after a call: sent, ended, tried again, or left to a person."""

from __future__ import annotations

import enum
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from notify.message import Channel, Notification, Status, Unknown
from notify.policies import backoff

LONGEST_LOOKUP_WAIT = timedelta(minutes=10)
"""Between two look-ups, where the provider could not be asked."""

LONGEST_RETRY_AFTER = 30 * 86_400.0
"""Seconds of a vendor's wish to wait that are believed; every deadline comes first."""


class Verdict(enum.Enum):
    """What a call's end says about the notification."""

    SENT = "sent"
    REJECTED = "rejected"
    """It can never work."""
    RETRY = "retry"
    """Certainly not sent; it may work later."""
    THROTTLED = "throttled"
    """Certainly not sent, and no fault of its own: this try does not count."""
    UNKNOWN = "unknown"
    """It may have been sent."""


@dataclass(frozen=True, slots=True)
class RetrySettings:
    """How long one lane keeps trying."""

    attempts: int
    deadline: timedelta
    """After it was received, or after its own `send_at`; its own expiry may come first."""
    first: timedelta
    most: timedelta


DEFAULT_RETRY = RetrySettings(
    attempts=8,
    deadline=timedelta(hours=6),
    first=timedelta(seconds=2),
    most=timedelta(minutes=10),
)
"""The patience with a lane that the configuration no longer knows."""


@dataclass(frozen=True, slots=True)
class UnknownRules:
    """Who decides on unknown outcomes: the template's rule, else the lane's, else the channel's."""

    channels: Mapping[Channel, Unknown]
    lanes: Mapping[tuple[str, Channel], Unknown] = field(default_factory=dict)
    templates: Mapping[str, Unknown] = field(default_factory=dict)

    def of(self, notification: Notification) -> Unknown:
        """Find the rule for one notification."""
        by_template = self.templates.get(notification.template or "")
        by_lane = self.lanes.get((notification.lane, notification.channel))
        return by_template or by_lane or self.channels[notification.channel]


@dataclass(frozen=True, slots=True)
class History:
    """What is known of a notification when a call ends."""

    received_at: datetime
    spent: int
    """Earlier calls that count against the lane's limit."""


@dataclass(frozen=True, slots=True)
class NextStep:
    """Where a notification stands after a call."""

    status: Status
    spent: int
    due_at: datetime | None = None
    """When it is taken up again; None where it is not, or not by itself."""
    possible_duplicate: bool = False
    note: str = ""
    """Why it goes no further, where the call's own reason does not say so."""


class RetryPolicy:
    """Decides what follows a call, by the lane's patience and the rules for unknown outcomes."""

    def __init__(
        self,
        *,
        lanes: Mapping[str, RetrySettings],
        unknown: UnknownRules,
        lookups: Mapping[Channel, timedelta],
        rng: random.Random,
    ) -> None:
        """
        Take the rules.

        Args:
            lanes: The patience of each lane.
            unknown: The rules for unknown outcomes.
            lookups: The channels whose provider can be asked whether it took a message, and how
                long after a lost answer it is: its own list lags behind.
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
        """Decide what follows one call's end; *retry_after* is the vendor's wish in seconds."""
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
        """Tell whether one more call may be made at once, to another provider."""
        lane = self._lanes.get(notification.lane, DEFAULT_RETRY)
        end = _begun(notification, history.received_at) + lane.deadline
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
        Choose when to ask the provider again that could not be asked now.

        Args:
            lost_at: When the call ended; the waits double from then on.
            retry_after: The vendor's wish in seconds.

        Returns:
            The time, or None where the lane's deadline comes first: `unresolved` decides then.
        """
        first = self._lookups.get(notification.channel, timedelta())
        wait = min(max(now - lost_at, first), LONGEST_LOOKUP_WAIT)
        lane = self._lanes.get(notification.lane, DEFAULT_RETRY)
        end = _begun(notification, history.received_at) + lane.deadline
        # Where the wait would pass the deadline, the last look-up is at the deadline.
        due = max(min(now + wait, end), now + _wished(retry_after))
        return due if now < due <= end else None

    def unresolved(
        self, notification: Notification, history: History, *, now: datetime
    ) -> NextStep:
        """Decide on a lost answer that nobody can look up, or whose look-up found nothing."""
        spent = history.spent + 1
        if self._unknown.of(notification) is Unknown.PARK:
            return NextStep(Status.UNKNOWN, spent)
        following = self._again(notification, history.received_at, spent, now, None)
        if following.status is Status.QUEUED:
            return NextStep(Status.QUEUED, spent, following.due_at, possible_duplicate=True)
        # It may have arrived: "failed" would claim to know better.
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
        due = now + max(wait, _wished(retry_after))
        if notification.expires_at is not None and due >= notification.expires_at:
            return NextStep(Status.FAILED, spent, note="it would expire before the next attempt")
        if due >= _begun(notification, received_at) + lane.deadline:
            return NextStep(
                Status.FAILED, spent, note="the lane's deadline comes before the next attempt"
            )
        return NextStep(Status.QUEUED, spent, due)


def _begun(notification: Notification, received_at: datetime) -> datetime:
    """When the lane's patience begins: what is scheduled has not been tried before its time."""
    return max(received_at, notification.send_at or received_at)


def _wished(retry_after: float | None) -> timedelta:
    """The vendor's wish; a provider may hand over anything, and no date holds any number."""
    return timedelta(seconds=min(max(0.0, retry_after or 0.0), LONGEST_RETRY_AFTER))
