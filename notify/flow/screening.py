"""Whether a message may be sent at all, through any provider: holds, caps, its own limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from notify.flow.flow import Flow
from notify.gateway import Gateway
from notify.message import Notification, Rendered
from notify.policies.holds import Hold

AHEAD = 0.25
"""The most seconds ahead to book a message's own limit, such as its recipient's."""


@dataclass(frozen=True, slots=True)
class Wait:
    """The message must wait, for a reason outside itself."""

    seconds: float
    reason: str
    hold_id: int | None = None
    unconsumed: bool = False
    """Whether no queue of the channel is consumed until an operator acts."""

    @classmethod
    def held(cls, hold: Hold) -> Wait:
        """Return the wait for a hold's release."""
        return cls(float("inf"), f"held by {hold.actor}: {hold.reason}"[:255], hold.id)


@dataclass(frozen=True, slots=True)
class Barred:
    """The message may never be sent: a cap or a guard forbids it."""

    reason: str


class Screening:
    """Checks the messages of one channel before a provider is chosen. Safe among threads."""

    def __init__(self, flow: Flow, gateway: Gateway) -> None:
        self._flow = flow
        self._gateway = gateway

    def screen(
        self, messages: Sequence[tuple[Notification, Rendered]]
    ) -> list[Wait | Barred | None]:
        """
        Check each message once, independently of providers, and count it against the caps.

        Returns:
            For each message, None if it may go on to `Admission.choose`.

        Raises:
            StoreError: The caps could not be counted.
        """
        holds = [self._flow.holds.match(notification) for notification, _ in messages]
        free = [each for each, hold in zip(messages, holds, strict=True) if hold is None]
        refusals = iter(self._flow.guard.refusals(free))
        answers: list[Wait | Barred | None] = []
        for hold, (notification, message) in zip(holds, messages, strict=True):
            if hold is not None:
                answers.append(Wait.held(hold))
                continue
            reason = next(refusals)
            answers.append(Barred(reason) if reason else self._limited(notification, message))
        return answers

    def _limited(self, notification: Notification, message: Rendered) -> Wait | None:
        cost = self._gateway.providers[0].cost(message)
        for name, limit in self._flow.own_limits.of(notification):
            booking = self._flow.limiter.book([limit], [cost], share=1.0, ahead=AHEAD)
            if not booking.slots:
                return Wait(booking.wait, f"the limit {name} allows it later")
        return None
