"""Through which provider a message may go, and when; or how long it waits, and why."""

from __future__ import annotations

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
"""The longest wait of a buffered message, in seconds; one that would be longer is deferred."""
SOON = 0.25
"""Seconds until a circuit is tried again that another worker is probing."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """Admission of one call."""

    provider: ConfiguredProvider
    permit: CircuitPermit
    at: float
    """When to make it, by the monotonic clock."""


NEVER = Wait(float("inf"), "an operator holds every provider of the channel")
"""The answer where no provider may be called."""


class _Candidate(NamedTuple):
    """A provider whose circuit lets a call pass, and the limits to book."""

    provider: ConfiguredProvider
    permit: CircuitPermit
    limits: tuple[str, ...]


@dataclass(slots=True)
class _Search:
    """A message in search of a provider, and those that were tried in vain."""

    notification: Notification
    message: Rendered
    shut: list[ConfiguredProvider] = field(default_factory=list)
    answer: Admitted | Wait = NEVER

    def wait(self, wait: Wait) -> None:
        """Answer with this wait, unless another provider is free sooner."""
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

    def choose(self, asked: Sequence[tuple[Notification, Rendered]]) -> list[Admitted | Wait]:
        """
        Find for each message a provider whose circuit lets it pass, and book its moment.

        Where the limits of one are used up for long, the next one is tried.
        """
        searches = [_Search(notification, message) for notification, message in asked]
        seeking: Sequence[_Search] = searches
        while seeking:
            seeking = self._narrowed(seeking)
        return [search.answer for search in searches]

    def _narrowed(self, searches: Iterable[_Search]) -> list[_Search]:
        """Try the next provider for each; return those that must try yet another."""
        by_limits: dict[tuple[str, ...], list[tuple[_Search, _Candidate]]] = {}
        for search in searches:
            # A hold may have been placed since it was screened.
            hold = self._flow.holds.match(search.notification)
            if hold is not None:
                search.answer = Wait.held(hold)
                continue
            found = self._candidate(search.shut)
            if isinstance(found, Wait):
                search.wait(found)
            else:
                by_limits.setdefault(found.limits, []).append((search, found))
        return [each for names, group in by_limits.items() for each in self._booked(names, group)]

    def _booked(
        self, names: tuple[str, ...], group: Sequence[tuple[_Search, _Candidate]]
    ) -> list[_Search]:
        """Book one moment each; return those for which the limits have none for long."""
        # All of a channel's lanes have their own threads: one batch is of one lane.
        share = self._share(group[0][0].notification)
        costs = [found.provider.cost(search.message) for search, found in group]
        booking = self._flow.limiter.book(names, costs, share=share)
        for (search, found), at in zip(group, booking.slots, strict=False):
            search.answer = Admitted(found.provider, found.permit, at)
        rest = group[len(booking.slots) :]
        for search, (provider, permit, _) in rest:
            self._flow.circuits.released(permit)
            search.shut.append(provider)
            search.wait(Wait(booking.wait, f"the limits of {provider.name} allow it later"))
        return [search for search, _ in rest] if booking.wait > LONGEST_WAIT else []

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
        shut, share = list(tried), self._share(notification)
        while not isinstance(found := self._candidate(shut), Wait):
            provider, permit, names = found
            booking = self._flow.limiter.book(names, [provider.cost(message)], share=share)
            if booking.slots:
                return Admitted(provider, permit, booking.slots[0])
            self._flow.circuits.released(permit)
            shut.append(provider)
        return None

    def confirm(self, admitted: Admitted, notification: Notification) -> Admitted | None:
        """Check again, at its moment, whether the provider may still be called for it."""
        provider, permit = admitted.provider, admitted.permit
        holds = self._flow.holds
        if holds.stops_provider(provider.name) or holds.match(notification):
            self._flow.circuits.released(permit)
            return None
        if permit.probe:
            return admitted
        fresh = self._flow.circuits.permit(provider.name)
        return None if fresh is None else Admitted(provider, fresh, admitted.at)

    def _candidate(self, shut: Collection[ConfiguredProvider]) -> _Candidate | Wait:
        """Find the first provider, but for those *shut*, that may be called, and its limits."""
        wait, reason = NEVER.seconds, NEVER.reason
        order = self._gateway.order()
        for provider in order:
            if provider in shut or self._flow.holds.stops_provider(provider.name) is not None:
                continue
            permit = self._flow.circuits.permit(provider.name)
            if permit is not None:
                moved = bool(shut) or provider is not order[0]
                limits = provider.limits + (provider.moved if moved else ())
                return _Candidate(provider, permit, limits)
            until = max(self._flow.circuits.wait(provider.name), SOON)
            if until <= wait:
                wait, reason = until, f"the circuit of {provider.name} is open"
        return Wait(wait, reason)

    def _share(self, notification: Notification) -> float:
        return self._shares.get(notification.lane, 1.0)
