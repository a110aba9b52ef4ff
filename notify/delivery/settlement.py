"""One decision on a message of several notifications."""

from __future__ import annotations

import threading
from collections.abc import Callable

from notify.arrival import Again, Dead, Decision, Done


class Settlement:
    """
    Settles one message when the last of its notifications is decided.

    The most severe decision counts. A batch request with one recipient to deliver again is
    delivered again as a whole, since no recorded one is sent twice; one with a dead part is
    dead-lettered.
    """

    __slots__ = ("_left", "_lock", "_settle", "_worst")

    def __init__(self, settle: Callable[[Decision], None], parts: int) -> None:
        self._settle = settle
        self._left = parts
        self._worst: Decision = Done()
        self._lock = threading.Lock()

    def add(self, decision: Decision, *, times: int = 1) -> None:
        """Add the decision on one notification, or the same on several."""
        with self._lock:
            self._left -= times
            if _severity(decision) > _severity(self._worst):
                self._worst = decision
            last = self._left == 0
        if last:
            self._settle(self._worst)


def _severity(decision: Decision) -> int:
    match decision:
        case Done():
            return 0
        case Dead():
            return 1
        case Again():
            return 2
