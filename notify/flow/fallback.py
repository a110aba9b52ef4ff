"""Limiting while the store is away: a process keeps to its recent share of a limit."""

from __future__ import annotations

from dataclasses import replace

from notify.flow.meter import Meter
from notify.policies import ratelimit
from notify.policies.ratelimit import BookingRequest, Grant, Limit, LimitState

SPAN = 10.0
"""Seconds over which a process's share of a limit is measured."""
LEAST = 0.02
"""The least share of a rate, also for a process that has used none."""


class FallbackLimiter:
    """Books units of one limit for this process alone, without a burst."""

    def __init__(self, *, now: float) -> None:
        self._tat = now
        self._recent = Meter(SPAN, now=now)

    def count(self, units: float, now: float) -> None:
        """Count units that the process used, wherever they were booked."""
        self._recent.add(units, now)

    def book(self, request: BookingRequest, *, rate: float, now: float) -> Grant:
        """
        Book at this process's share of a rate.

        Args:
            rate: The fleet's rate, in units a second.
        """
        part = min(rate, max(self._recent.rate(now), LEAST * rate))
        grant = ratelimit.book(
            LimitState(tat=self._tat), Limit("", part, 1.0), replace(request, lease=0.0), now=now
        )
        self._tat = grant.tat
        return grant
