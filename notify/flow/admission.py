"""Whether a message may go: through which provider and when, or how long it waits and why."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from notify.flow.circuits import CircuitPermit
from notify.flow.flow import Flow
from notify.gateway import ConfiguredProvider, Gateway
from notify.message import Notification, Rendered

LONG = 3.0
"""Seconds that a message may wait in hand; where it would be longer, it is put off."""
SOON = 0.25
"""Seconds until a circuit is asked again that another worker is probing."""
AHEAD = 0.25
"""Seconds ahead that a limit of a message's own, such as its recipient's, is booked."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """Leave for one call."""

    line: ConfiguredProvider
    pass_: CircuitPermit
    at: float
    """When to make it, by the monotonic clock."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Not now, and no fault of the message."""

    seconds: float
    reason: str
    hold_id: int | None = None


NEVER = Wait(float("inf"), "an operator holds every provider of the channel")
"""The answer where there is nobody to ask."""


@dataclass(frozen=True, slots=True)
class Barred:
    """Never: a cap or a guard stands against it."""

    reason: str


Asked = tuple[Notification, Rendered]


@dataclass(slots=True)
class _Search:
    """A message on its way to leave, and the lines that were asked in vain."""

    notification: Notification
    message: Rendered
    shut: list[ConfiguredProvider] = field(default_factory=list)
    answer: Admitted | Wait = NEVER

    def put_off(self, wait: Wait) -> None:
        """Take the wait for an answer, unless another line takes it sooner."""
        if isinstance(self.answer, Wait) and wait.seconds <= self.answer.seconds:
            self.answer = wait


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

    def vet(self, asked: Sequence[Asked]) -> list[Wait | Barred | None]:
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
        answers: list[Wait | Barred | None] = []
        for wait, (notification, message) in zip(held, asked, strict=True):
            if wait is not None:
                answers.append(wait)
                continue
            reason = next(refusals)
            answers.append(Barred(reason) if reason else self._of_its_own(notification, message))
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

    def choose(self, asked: Sequence[Asked]) -> list[Admitted | Wait]:
        """
        Find for each message a provider whose circuit lets it pass, and book its moment.

        Where the limits of one are used up for long, the next one is asked.
        """
        searches = [_Search(notification, message) for notification, message in asked]
        seeking: Sequence[_Search] = searches
        while seeking:
            seeking = self._narrowed(seeking)
        return [search.answer for search in searches]

    def _narrowed(self, searches: Iterable[_Search]) -> list[_Search]:
        """Ask the next provider for each; give those that must ask yet another."""
        ways: dict[tuple[str, ...], list[tuple[_Search, ConfiguredProvider, CircuitPermit]]] = {}
        for search in searches:
            # A hold may have been placed since it was vetted.
            held = self._held(search.notification)
            found = held or self._line(search.shut)
            if held is not None:
                search.answer = held
            elif isinstance(found, Wait):
                search.put_off(found)
            else:
                line, pass_, names = found
                ways.setdefault(names, []).append((search, line, pass_))
        return [each for names, group in ways.items() for each in self._booked(names, group)]

    def _booked(
        self,
        names: tuple[str, ...],
        group: Sequence[tuple[_Search, ConfiguredProvider, CircuitPermit]],
    ) -> list[_Search]:
        """Book one moment each; give those for which the limits have none for long."""
        # All of a channel's lanes have their own threads: one batch is of one lane.
        share = self._share(group[0][0].notification)
        costs = [line.cost(search.message) for search, line, _ in group]
        booking = self._flow.limiter.book(names, costs, share=share)
        for (search, line, pass_), at in zip(group, booking.slots, strict=False):
            search.answer = Admitted(line, pass_, at)
        rest = group[len(booking.slots) :]
        for search, line, pass_ in rest:
            self._flow.circuits.released(pass_)
            search.shut.append(line)
            search.put_off(Wait(booking.wait, f"the limits of {line.name} let it go later"))
        return [search for search, _, _ in rest] if booking.wait > LONG else []

    def elsewhere(self, asked: Asked, *, tried: Collection[ConfiguredProvider]) -> Admitted | None:
        """Find another provider for a message that those *tried* certainly did not send."""
        notification, message = asked
        if self._flow.holds.match(notification) is not None:
            return None
        shut, share = list(tried), self._share(notification)
        while not isinstance(found := self._line(shut), Wait):
            line, pass_, names = found
            booking = self._flow.limiter.book(names, [line.cost(message)], share=share)
            if booking.slots:
                return Admitted(line, pass_, booking.slots[0])
            self._flow.circuits.released(pass_)
            shut.append(line)
        return None

    def again(self, leave: Admitted, notification: Notification) -> Admitted | None:
        """Ask once more, at its moment, whether the provider may be called for it by now."""
        holds = self._flow.holds
        if holds.stops_provider(leave.line.name) or holds.match(notification):
            self._flow.circuits.released(leave.pass_)
            return None
        if leave.pass_.probe:
            return leave
        pass_ = self._flow.circuits.ask(leave.line.name)
        return None if pass_ is None else Admitted(leave.line, pass_, leave.at)

    def _line(
        self, shut: Collection[ConfiguredProvider]
    ) -> tuple[ConfiguredProvider, CircuitPermit, tuple[str, ...]] | Wait:
        """Find the first line, but for those *shut*, that may be called, and its limits."""
        wait, reason = NEVER.seconds, NEVER.reason
        order = self._gateway.order()
        for line in order:
            if line in shut or self._flow.holds.stops_provider(line.name) is not None:
                continue
            pass_ = self._flow.circuits.ask(line.name)
            if pass_ is not None:
                moved = bool(shut) or line is not order[0]
                return line, pass_, line.limits + (line.moved if moved else ())
            until = max(self._flow.circuits.wait(line.name), SOON)
            if until <= wait:
                wait, reason = until, f"the circuit of {line.name} is open"
        return Wait(wait, reason)

    def _share(self, notification: Notification) -> float:
        return self._shares.get(notification.lane, 1.0)
