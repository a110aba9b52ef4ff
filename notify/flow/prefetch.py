"""How many messages a worker takes in hand of one queue: what flow control lets it send soon."""

from __future__ import annotations

import math
from collections.abc import Mapping

from notify.flow.admission import LONG
from notify.flow.flow import Flow
from notify.gateway import ConfiguredProvider, Gateway

IN_HAND = 2.0
"""Seconds of work to have in hand: the rest of a backlog stays in RabbitMQ."""


class PrefetchPolicy:
    """Tells for each lane of one channel how many messages to have in hand, 0 for none."""

    def __init__(
        self,
        flow: Flow,
        gateway: Gateway,
        *,
        rates: Mapping[str, float],
        shares: Mapping[str, float],
        most: int,
    ) -> None:
        """
        Take what it asks.

        Args:
            rates: The configured limits, in units a second.
            shares: By lane, which part of a limit's burst it may use.
            most: What it has in hand where nothing limits it.
        """
        self._flow = flow
        self._gateway = gateway
        self._rates = rates
        self._shares = shares
        self._most = most

    def change(self, rates: Mapping[str, float]) -> None:
        """Take other limits, in units a second."""
        self._rates = rates

    def of(self, lane: str) -> int:
        """Tell how many messages of a lane to have in hand by now."""
        if self._flow.holds.stops_queue(self._gateway.channel, lane) is not None:
            return 0
        usable = [
            line
            for line in self._gateway.lines
            if self._flow.holds.stops_provider(line.name) is None
            and self._flow.circuits.wait(line.name) <= LONG
            and self._flow.limiter.wait(self._limits(line), share=self._shares[lane]) <= LONG
        ]
        if not usable:
            return 0
        sound = [line for line in usable if self._flow.circuits.flows(line.name)]
        if not sound:
            # One message to try the provider with.
            return 1
        return max(1, min(self._most, math.ceil(max(map(self._soon, sound)))))

    def _soon(self, line: ConfiguredProvider) -> float:
        """Tell how many messages a line takes within the time that a message may be in hand."""
        names = self._limits(line)
        rates = [self._rates[name] for name in names if name in self._rates]
        # This process's part of it; one that has just begun met a burst, so may tell too much.
        lately = self._flow.limiter.rate(names)
        rate = min([*rates, *([] if lately is None else [lately])], default=math.inf)
        return min(float(self._most), rate * IN_HAND)

    def _limits(self, line: ConfiguredProvider) -> tuple[str, ...]:
        """Give the limits that a message passes if this line is to be its way."""
        return line.limits + (line.moved if line in self._gateway.reserve else ())
