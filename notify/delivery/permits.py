"""The limit on one lane's calls in flight in this process."""

from __future__ import annotations

import threading


class Permits:
    """
    Permits that are acquired several at a time.

    They are acquired before a claim is written, so that no claimed notification waits for a free
    sender while its lease runs.
    """

    def __init__(self, number: int) -> None:
        self._number = self._free = number
        self._freed = threading.Condition(threading.Lock())

    @property
    def taken(self) -> int:
        """The number that is in use."""
        return self._number - self._free

    def acquire(self, wanted: int) -> int:
        """Wait until one is free, then acquire all free ones, at most *wanted*; return how many."""
        with self._freed:
            while self._free == 0:
                self._freed.wait()
            taken = min(self._free, wanted)
            self._free -= taken
            return taken

    def release(self, number: int = 1) -> None:
        """Release acquired permits."""
        with self._freed:
            self._free += number
            self._freed.notify()
