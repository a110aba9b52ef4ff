"""
Rate limits: the arithmetic of a limit that a fleet shares. It reads no clock.

A limit is a schedule (GCRA): each unit takes 1/rate seconds of it, and `tat` is when all granted
units would be used. A unit may be used up to the tolerance before its turn, and is booked some
time ahead of its slot. docs/limits.md has the formulas and their consequences.
"""

from __future__ import annotations

from notify.policies.ratelimit.booking import (
    AHEAD,
    FAR_AHEAD,
    RESERVE,
    SLACK,
    BookingRequest,
    Grant,
    book,
    horizon,
)
from notify.policies.ratelimit.complaint import CUT, CUT_EVERY, cut, pause
from notify.policies.ratelimit.limit_state import (
    FORGOTTEN,
    LARGEST,
    LONGEST_PAUSE,
    RECOVERY,
    SET_BACK,
    Limit,
    LimitState,
)

__all__ = [
    "AHEAD",
    "CUT",
    "CUT_EVERY",
    "FAR_AHEAD",
    "FORGOTTEN",
    "LARGEST",
    "LONGEST_PAUSE",
    "RECOVERY",
    "RESERVE",
    "SET_BACK",
    "SLACK",
    "BookingRequest",
    "Grant",
    "Limit",
    "LimitState",
    "book",
    "cut",
    "horizon",
    "pause",
]
