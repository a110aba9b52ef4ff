"""How long to wait before the next try: exponential, capped, with full jitter."""

from __future__ import annotations

import random
from datetime import timedelta


def delay(tries: int, *, first: timedelta, most: timedelta, rng: random.Random) -> timedelta:
    """
    Choose the wait after *tries* failures, evenly from nothing to the ceiling.

    The ceiling is *first* after one failure, doubles with each further one, and stops at *most*.
    Full jitter keeps a fleet whose calls failed together from returning together.
    """
    # Beyond this the ceiling has long been reached, and floats would overflow.
    doublings = min(tries - 1, 60)
    ceiling = min(first.total_seconds() * 2**doublings, most.total_seconds())
    return timedelta(seconds=rng.uniform(0, ceiling))
