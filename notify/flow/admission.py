"""Choosing the provider and the moment of a call, or how long the message waits, and why."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from notify.flow.circuits import CircuitPermit
from notify.flow.flow import Flow
from notify.flow.screening import Wait
from notify.gateway import ConfiguredProvider, Gateway
from notify.message import Notification, Rendered

LONGEST_WAIT = 3.0
"""The longest wait of a buffered message, in seconds; one that must wait longer is deferred."""
SOON = 0.25
"""Seconds until the next try of a circuit that another worker is probing."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """Admission of one call."""

    provider: ConfiguredProvider
    permit: CircuitPermit
    at: float
    """When to make it, by the monotonic clock."""


NEVER = Wait(float("inf"), "an operator holds every provider of the channel")
"""The answer if no provider may be called."""


class _Candidate(NamedTuple):
    """A provider whose circuit permits a call, and the limits to book."""

    provider: ConfiguredProvider
    permit: CircuitPermit
    limits: tuple[str, ...]


@dataclass(slots=True)
class _Search:
    """A message that needs a provider, and the providers to exclude."""

    notification: Notification
    message: Rendered
    excluded: list[ConfiguredProvider] = field(default_factory=list)
    answer: Admitted | Wait = NEVER

    def wait(self, wait: Wait) -> None:
        """Set this wait as the answer, unless another provider is free sooner."""
        if isinstance(self.answer, Wait) and wait.seconds <= self.answer.seconds:
            self.answer = wait


class Admission:
    """Chooses a provider and a moment for the messages of one channel. Safe among threads."""

    def __init__(
        self,
        flow: Flow,
        gateway: Gateway,
        *,
        shares: Mapping[str, float],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Wire the parts.

        Args:
            shares: By lane, the part of a limit's burst that it may use.
        """
        self._flow = flow
        self._gateway = gateway
        self._shares = shares
        self._monotonic = monotonic

    def choose(self, messages: Sequence[tuple[Notification, Rendered]]) -> list[Admitted | Wait]:
        """
        Find for each message a provider whose circuit permits a call, and book its moment.

        If the limits of one provider are used up for long, try the next.
        """
        searches = [_Search(notification, message) for notification, message in messages]
        seeking: Sequence[_Search] = searches
        while seeking:
            seeking = self._narrowed(seeking)
        return [search.answer for search in searches]

    def _narrowed(self, searches: Iterable[_Search]) -> list[_Search]:
        """Try the next provider for each message; return the messages that need yet another."""
        by_limits: dict[tuple[str, ...], list[tuple[_Search, _Candidate]]] = {}
        for search in searches:
            # A hold may have been placed since it was screened.
            hold = self._flow.holds.match(search.notification)
            if hold is not None:
                search.answer = Wait.held(hold)
                continue
            found = self._candidate(search.notification.to, search.excluded)
            if isinstance(found, Wait):
                search.wait(found)
            else:
                by_limits.setdefault(found.limits, []).append((search, found))
        return [each for names, group in by_limits.items() for each in self._booked(names, group)]

    def _booked(
        self, names: tuple[str, ...], group: Sequence[tuple[_Search, _Candidate]]
    ) -> list[_Search]:
        """Book a moment for each message; return those whose wait is longer than `LONGEST_WAIT`."""
        # Each lane has its own threads, so all messages here are of one lane.
        share = self._share(group[0][0].notification)
        costs = [found.provider.cost(search.message) for search, found in group]
        booking = self._flow.limiter.book(names, costs, share=share)
        for (search, found), at in zip(group, booking.slots, strict=False):
            search.answer = Admitted(found.provider, found.permit, at)
        rest = group[len(booking.slots) :]
        for search, (provider, permit, _) in rest:
            self._flow.circuits.released(permit)
            search.excluded.append(provider)
            search.wait(Wait(booking.wait, f"the limits of {provider.name} allow it later"))
        return [search for search, _ in rest] if booking.wait > LONGEST_WAIT else []

    def lapse(self, provider: ConfiguredProvider) -> float:
        """Return for how many seconds after its booked moment a call may begin."""
        return self._flow.limiter.lapse(provider.limits)

    def elsewhere(
        self,
        notification: Notification,
        message: Rendered,
        *,
        tried: Collection[ConfiguredProvider],
    ) -> Admitted | None:
        """Find another provider for a message that those *tried* certainly did not send."""
        if self._flow.holds.match(notification) is not None:
            return None
        excluded, share = list(tried), self._share(notification)
        while not isinstance(found := self._candidate(notification.to, excluded), Wait):
            provider, permit, names = found
            booking = self._flow.limiter.book(names, [provider.cost(message)], share=share)
            if booking.slots:
                return Admitted(provider, permit, booking.slots[0])
            self._flow.circuits.released(permit)
            excluded.append(provider)
        return None

    def confirm(self, admitted: Admitted, notification: Notification) -> Admitted | None:
        """Check again, at the booked moment, that the call may be made; None if it may not."""
        provider, permit = admitted.provider, admitted.permit
        holds = self._flow.holds
        if holds.stops_provider(provider.name) or holds.match(notification):
            self._flow.circuits.released(permit)
            return None
        if permit.probe:
            return admitted
        fresh = self._flow.circuits.permit(provider.name)
        return None if fresh is None else Admitted(provider, fresh, admitted.at)

    def _candidate(self, to: str, excluded: Collection[ConfiguredProvider]) -> _Candidate | Wait:
        """Find the first provider for an address that may be called and is not *excluded*."""
        wait, reason = NEVER.seconds, NEVER.reason
        order = self._gateway.order(to)
        for provider in order:
            if provider in excluded or self._flow.holds.stops_provider(provider.name) is not None:
                continue
            permit = self._flow.circuits.permit(provider.name)
            if permit is not None:
                moved = bool(excluded) or provider is not order[0]
                limits = provider.limits + (provider.moved if moved else ())
                return _Candidate(provider, permit, limits)
            until = max(self._flow.circuits.wait(provider.name), SOON)
            if until <= wait:
                wait, reason = until, f"the circuit of {provider.name} is open"
        unconsumed = wait == math.inf and all(map(self._stopped, self._gateway.providers))
        return Wait(wait, reason, unconsumed=unconsumed)

    def _stopped(self, provider: ConfiguredProvider) -> bool:
        """Whether only an operator can have a provider called again."""
        flow, name = self._flow, provider.name
        return flow.holds.stops_provider(name) is not None or flow.circuits.wait(name) == math.inf

    def _share(self, notification: Notification) -> float:
        return self._shares.get(notification.lane, 1.0)
