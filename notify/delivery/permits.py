"""How many calls may be in flight in this process."""

from __future__ import annotations

import threading


class Permits:
    """
    A counted allowance that is taken several at a time.

    Claims take permits before they write, so no notification is claimed that must then wait
    for a free sender while its lease runs.
    """

    def __init__(self, number: int) -> None:
        self._number = self._free = number
        self._freed = threading.Condition(threading.Lock())

    @property
    def taken(self) -> int:
        """How many are not free."""
        return self._number - self._free

    def take(self, wanted: int) -> int:
        """Wait until one is free, then take as many as are, at most *wanted*."""
        with self._freed:
            while self._free == 0:
                self._freed.wait()
            taken = min(self._free, wanted)
            self._free -= taken
            return taken

    def give(self, number: int = 1) -> None:
        """Give back."""
        with self._freed:
            self._free += number
            self._freed.notify()
