"""The wait before the next try: exponential, capped, with full jitter."""

from __future__ import annotations

import random
from datetime import timedelta


def delay(tries: int, *, first: timedelta, most: timedelta, rng: random.Random) -> timedelta:
    """
    Draw the wait after *tries* failures, uniformly from zero to the ceiling.

    The ceiling is *first* after one failure, doubles with each further one, and stops at *most*.
    Full jitter spreads the retries of a fleet whose calls failed together.
    """
    # With more, floats would overflow; the ceiling is reached long before.
    doublings = min(tries - 1, 60)
    ceiling = min(first.total_seconds() * 2**doublings, most.total_seconds())
    return timedelta(seconds=rng.uniform(0, ceiling))
