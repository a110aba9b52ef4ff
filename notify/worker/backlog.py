"""One queue's backlog: an upper bound of its age, and how long it takes to drain."""

from __future__ import annotations

import math
from collections import deque

SPAN = 60.0
"""Seconds over which the drain rate is measured."""


class Backlog:
    """
    A queue's backlog, estimated without reading its messages.

    RabbitMQ does not report the age of the first message. But a queue is delivered in order, so the
    first message was published after the last received one and after the queue was last empty.
    """

    def __init__(self, *, now: float) -> None:
        """Start at *now*, in seconds since 1970 like all later times."""
        self._after = self._now = now
        self._seen: deque[tuple[float, int]] = deque()

    def see(self, ready: int, *, taken: float | None, now: float) -> None:
        """
        Add one reading of the queue's depth.

        Args:
            ready: The number of messages that wait in it.
            taken: When the last message that this process received was published; None if it
                received none.
        """
        self._now = now
        if ready == 0:
            self._after = now
        elif taken is not None:
            self._after = max(self._after, taken)
        self._seen.append((now, ready))
        while self._seen[0][0] < now - SPAN:
            self._seen.popleft()

    @property
    def oldest(self) -> float:
        """An upper bound of the first message's age since observation started, in seconds."""
        return max(0.0, self._now - self._after)

    @property
    def drain(self) -> float | None:
        """Seconds until it is empty at this rate; infinity if it does not fall; None if unknown."""
        (began, before), (at, ready) = self._seen[0], self._seen[-1]
        if ready == 0:
            return 0.0
        if at == began:
            return None
        rate = (before - ready) / (at - began)
        return ready / rate if rate > 0 else math.inf
