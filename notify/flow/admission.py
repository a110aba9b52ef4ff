"""Whether a message may go: through which provider and when, or how long it waits and why."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from notify.flow import Flow
from notify.flow.circuits import Pass
from notify.gateway import Gateway, Line
from notify.message import Notification, Rendered

LONG = 3.0
"""Seconds that a message may wait in hand; where it would be longer, it is put off."""
SOON = 0.25
"""Seconds until a circuit is asked again that another worker is probing."""
AHEAD = 0.25
"""Seconds ahead that a limit of a message's own, such as its recipient's, is booked."""


@dataclass(frozen=True, slots=True)
class Leave:
    """Leave for one call."""

    line: Line
    pass_: Pass
    at: float
    """When to make it, by the monotonic clock."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Not now, and no fault of the message."""

    seconds: float
    reason: str
    hold_id: int | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Never: a cap or a guard stands against it."""

    reason: str


Asked = tuple[Notification, Rendered]


class Admission:
    """Asks, for the messages of one channel, all that flow control knows. Safe among threads."""

    def __init__(
        self,
        flow: Flow,
        gateway: Gateway,
        *,
        shares: Mapping[str, float],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Take what it asks.

        Args:
            shares: By lane, which part of a limit's burst it may use.
        """
        self._flow = flow
        self._gateway = gateway
        self._shares = shares
        self._monotonic = monotonic

    def vet(self, asked: Sequence[Asked]) -> list[Wait | Refused | None]:
        """
        Ask once for each message what concerns itself alone: holds, caps, its own limits.

        Returns:
            None for each that may go on to `choose`.

        Raises:
            StoreError: The caps could not be counted.
        """
        held = [self._held(notification) for notification, _ in asked]
        free = [one for one, wait in zip(asked, held, strict=True) if wait is None]
        refusals = iter(self._flow.guard.refusals(free))
        answers: list[Wait | Refused | None] = []
        for wait, (notification, message) in zip(held, asked, strict=True):
            if wait is not None:
                answers.append(wait)
                continue
            reason = next(refusals)
            answers.append(Refused(reason) if reason else self._of_its_own(notification, message))
        return answers

    def _held(self, notification: Notification) -> Wait | None:
        hold = self._flow.holds.match(notification)
        if hold is None:
            return None
        return Wait(float("inf"), f"held by {hold.actor}: {hold.reason}"[:255], hold.id)

    def _of_its_own(self, notification: Notification, message: Rendered) -> Wait | None:
        cost = self._gateway.lines[0].cost(message)
        for name, limit in self._flow.own_limits.of(notification):
            booking = self._flow.limiter.book([limit], [cost], share=1.0, ahead=AHEAD)
            if not booking.slots:
                return Wait(booking.wait, f"the limit {name} lets it go later")
        return None

    def choose(self, asked: Sequence[Asked]) -> list[Leave | Wait]:
        """Find for each message a provider whose circuit lets it pass, and book its moment."""
        answers: list[Leave | Wait | None] = [None] * len(asked)
        ways: dict[tuple[str, ...], list[tuple[int, Line, Pass]]] = {}
        for place, (notification, _) in enumerate(asked):
            # A hold may have been placed since it was vetted.
            found = self._held(notification) or self._line(())
            if isinstance(found, Wait):
                answers[place] = found
                continue
            line, pass_, names = found
            ways.setdefault(names, []).append((place, line, pass_))
        for names, group in ways.items():
            # All of a channel's lanes have their own threads: one batch is of one lane.
            share = self._share(asked[group[0][0]][0])
            costs = [line.cost(asked[place][1]) for place, line, _ in group]
            booking = self._flow.limiter.book(names, costs, share=share)
            for (place, line, pass_), at in zip(group, booking.slots, strict=False):
                answers[place] = Leave(line, pass_, at)
            for place, line, pass_ in group[len(booking.slots) :]:
                self._flow.circuits.released(pass_)
                answers[place] = Wait(booking.wait, f"the limits of {line.name} let it go later")
        return [answer for answer in answers if answer is not None]

    def elsewhere(self, asked: Asked, *, tried: Collection[Line]) -> Leave | None:
        """Find another provider for a message that those *tried* certainly did not send."""
        notification, message = asked
        if self._flow.holds.match(notification) is not None:
            return None
        found = self._line(tried)
        if isinstance(found, Wait):
            return None
        line, pass_, names = found
        booking = self._flow.limiter.book(
            names, [line.cost(message)], share=self._share(notification)
        )
        if booking.slots:
            return Leave(line, pass_, booking.slots[0])
        self._flow.circuits.released(pass_)
        return None

    def again(self, leave: Leave, notification: Notification) -> Leave | None:
        """Ask once more, at its moment, whether the provider may be called for it by now."""
        holds = self._flow.holds
        if holds.stops_provider(leave.line.name) or holds.match(notification):
            self._flow.circuits.released(leave.pass_)
            return None
        if leave.pass_.probe:
            return leave
        pass_ = self._flow.circuits.ask(leave.line.name)
        return None if pass_ is None else Leave(leave.line, pass_, leave.at)

    def _line(self, tried: Collection[Line]) -> tuple[Line, Pass, tuple[str, ...]] | Wait:
        """Find the first line that may be called, and the limits on its way."""
        wait, reason = float("inf"), "an operator holds every provider of the channel"
        order = self._gateway.order()
        for line in order:
            if line in tried or self._flow.holds.stops_provider(line.name) is not None:
                continue
            pass_ = self._flow.circuits.ask(line.name)
            if pass_ is not None:
                return line, pass_, line.limits + (() if line is order[0] else line.moved)
            until = max(self._flow.circuits.wait(line.name), SOON)
            if until <= wait:
                wait, reason = until, f"the circuit of {line.name} is open"
        return Wait(wait, reason)

    def _share(self, notification: Notification) -> float:
        return self._shares.get(notification.lane, 1.0)
