"""Ids that begin with the time (UUID version 7)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

_VERSION = 7 << 76
_VARIANT = 0b10 << 62
_RANDOM = (0xFFF << 64) | ((1 << 62) - 1)


def time_id(
    *, clock: Callable[[], float] = time.time, random: Callable[[int], bytes] = os.urandom
) -> UUID:
    """
    Return a new id: 48 bits of milliseconds since 1970, and 74 random bits (UUID version 7).

    Rows with such ids are written at the end of an index. Random ids are written all over it, so
    that an index larger than memory costs a read of the disk for each row.
    """
    bits = int.from_bytes(random(10), "big") & _RANDOM
    return UUID(int=int(clock() * 1000) << 80 | _VERSION | _VARIANT | bits)


def lowest_id(at: datetime) -> UUID:
    """Return an id that is not greater than any of a time or later."""
    return UUID(int=int(at.timestamp() * 1000) << 80)
