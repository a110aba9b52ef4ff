"""Going on without the store: a process keeps to the part of a limit that it had before."""

from __future__ import annotations

from dataclasses import replace

from notify.flow.meter import Meter
from notify.policies import ratelimit
from notify.policies.ratelimit import BookingRequest, Grant, Limit, LimitState

LATELY = 10.0
"""Seconds over which a process's part of a limit is measured."""
LEAST = 0.02
"""Which part of a rate a process may use that had used none."""


class FallbackLimiter:
    """Books units of one limit for this process alone, without a burst."""

    def __init__(self, *, now: float) -> None:
        self._tat = now
        self._lately = Meter(LATELY, now=now)

    def count(self, units: float, now: float) -> None:
        """Note what the process got, from whomever."""
        self._lately.add(units, now)

    def book(self, ask: BookingRequest, *, rate: float, now: float) -> Grant:
        """
        Book at the process's part of a rate.

        Args:
            rate: What the whole fleet may do.
        """
        part = min(rate, max(self._lately.rate(now), LEAST * rate))
        grant = ratelimit.book(
            LimitState(tat=self._tat), Limit("", part, 1.0), replace(ask, stock=0.0), now=now
        )
        self._tat = grant.tat
        return grant
