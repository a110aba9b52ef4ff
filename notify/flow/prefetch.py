"""The number of messages of one queue to buffer: as many as flow control admits soon."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from notify.flow.admission import LONGEST_WAIT
from notify.flow.flow import Flow
from notify.gateway import ConfiguredProvider, Gateway

BUFFERED = 2.0
"""Seconds of work to buffer: the rest of a backlog stays in RabbitMQ."""


class PrefetchPolicy:
    """Computes for each lane of one channel how many messages to buffer, 0 for none."""

    def __init__(
        self,
        flow: Flow,
        gateway: Gateway,
        *,
        rates: Mapping[str, float],
        shares: Mapping[str, float],
        most: Callable[[str], int],
    ) -> None:
        """
        Wire the parts.

        Args:
            rates: The configured limits, in units a second.
            shares: By lane, the part of a limit's burst that it may use.
            most: By lane, the number to buffer if nothing limits it.
        """
        self._flow = flow
        self._gateway = gateway
        self._rates = rates
        self._shares = shares
        self._most = most

    def change(self, rates: Mapping[str, float]) -> None:
        """Replace the configured limits, in units a second."""
        self._rates = rates

    def of(self, lane: str) -> int:
        """Return how many messages of a lane to buffer now."""
        flow = self._flow
        if flow.holds.stops_queue(self._gateway.channel, lane) is not None:
            return 0
        usable = [
            each
            for each in self._gateway.providers
            if flow.holds.stops_provider(each.name) is None
            and flow.circuits.wait(each.name) <= LONGEST_WAIT
            and flow.limiter.wait(self._limits(each), share=self._shares[lane]) <= LONGEST_WAIT
        ]
        if not usable:
            return 0
        sound = [each for each in usable if flow.circuits.flows(each.name)]
        if not sound:
            # One message, to probe the provider.
            return 1
        most = self._most(lane)
        return max(1, min(most, math.ceil(max(self._soon(each, most) for each in sound))))

    def _soon(self, provider: ConfiguredProvider, most: int) -> float:
        """Return how many messages a provider accepts within the time of the buffer."""
        names = self._limits(provider)
        rates = [self._rates[name] for name in names if name in self._rates]
        # This process's share of the rate. Just after a start it includes a burst, and the number
        # may be too large.
        recent = self._flow.limiter.rate(names)
        rate = min([*rates, *([] if recent is None else [recent])], default=math.inf)
        return min(float(most), rate * BUFFERED)

    def _limits(self, provider: ConfiguredProvider) -> tuple[str, ...]:
        """Return the limits of a message that is sent through this provider."""
        return provider.limits + (provider.moved if provider in self._gateway.reserve else ())
