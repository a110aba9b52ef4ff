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
_RANDOM_BYTES = 10
BUFFERED = 256
"""Ids whose random bytes are read from the system at once."""


class RandomBuffer:
    """
    Returns the random bytes of an id, which are read from the system for many ids at once.

    Each read releases the interpreter lock, so a thread that makes a thousand ids would wait for
    the other threads a thousand times. Safe among threads. A child process must not use its
    parent's: it would make the same ids.
    """

    def __init__(self, *, read: Callable[[int], bytes] = os.urandom) -> None:
        """Start empty; *read* returns so many random bytes."""
        self._read = read
        self._parts: list[bytes] = []

    def __call__(self, _: int, /) -> bytes:
        """Return the bytes of one id, never the same ones again."""
        try:
            # Both this and `extend` are atomic.
            return self._parts.pop()
        except IndexError:
            data = self._read(_RANDOM_BYTES * BUFFERED)
        first, *others = (
            data[at : at + _RANDOM_BYTES] for at in range(0, len(data), _RANDOM_BYTES)
        )
        self._parts.extend(others)
        return first


def time_id(
    *, clock: Callable[[], float] = time.time, random: Callable[[int], bytes] = os.urandom
) -> UUID:
    """
    Return a new id: 48 bits of milliseconds since 1970, and 74 random bits (UUID version 7).

    Rows with such ids are written at the end of an index. Random ids are written all over it, so
    that an index larger than memory costs a read of the disk for each row.
    """
    bits = int.from_bytes(random(_RANDOM_BYTES), "big") & _RANDOM
    return UUID(int=int(clock() * 1000) << 80 | _VERSION | _VARIANT | bits)


def lowest_id(at: datetime) -> UUID:
    """Return an id that is not greater than any of a time or later."""
    return UUID(int=int(at.timestamp() * 1000) << 80)
