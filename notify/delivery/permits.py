"""The limit on one lane's claimed messages in this process."""

from __future__ import annotations

import threading

AHEAD = 2
"""Messages to claim ahead for each sender, while calls are short."""
SHORT, LONG = 0.25, 0.5
"""Mean seconds of a call: below the first, calls become short; above the second, long."""
_WEIGHT = 0.1
"""The weight of the newest call in the mean."""


class Permits:
    """
    Permits for the messages between claim and outcome, acquired several at a time.

    A claim of a few rows costs as much as one of many. So while calls are short, `AHEAD` more
    messages for each sender may be claimed, and under load a third of all permits is acquired at
    once: the senders find their next calls claimed. While calls are long, there is one permit for
    each sender, so that no claimed message waits for a sender while its lease runs.
    """

    def __init__(self, senders: int) -> None:
        self._senders = senders
        self._taken = self._calls = 0
        self._mean = LONG
        self._short = False
        self._freed = threading.Condition(threading.Lock())

    @property
    def number(self) -> int:
        """The number of permits now."""
        return self._senders * (1 + AHEAD) if self._short else self._senders

    @property
    def taken(self) -> int:
        """The number that is in use."""
        return self._taken

    @property
    def calls(self) -> int:
        """How many calls are in flight."""
        return self._calls

    def acquire(self, wanted: int) -> int:
        """Wait until enough are free, then acquire all free ones, at most *wanted*; return them."""
        with self._freed:
            while self._free < min(wanted, self._enough):
                self._freed.wait()
            acquired = min(self._free, wanted)
            self._taken += acquired
            return acquired

    def call_begins(self) -> None:
        """Count a call as in flight, until `release` has its duration."""
        with self._freed:
            self._calls += 1

    def release(self, number: int = 1, *, seconds: float | None = None) -> None:
        """Release acquired permits; *seconds* is how long their call took, if it was made."""
        with self._freed:
            self._taken -= number
            if seconds is not None:
                self._calls -= 1
                self._mean += _WEIGHT * (seconds - self._mean)
                self._short = self._mean < (LONG if self._short else SHORT)
            # Of two threads that wait, the first may need less than is free.
            if self._free >= self._enough:
                self._freed.notify_all()

    @property
    def _free(self) -> int:
        return self.number - self._taken

    @property
    def _enough(self) -> int:
        """How many to wait for under load; the senders are busy until then."""
        return self._senders if self._short else 1
