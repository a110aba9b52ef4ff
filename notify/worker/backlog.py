"""One queue as it was seen from time to time: how old what waits is at most, and how it drains."""

from __future__ import annotations

import math
from collections import deque

SPAN = 60.0
"""Seconds over which it is told how a queue drains."""


class Backlog:
    """
    What is known of a queue's messages without touching them.

    RabbitMQ does not tell how old the first one is. But queues are served in their order, so it
    was published after the last one that was taken, and after the queue was last seen empty.
    """

    def __init__(self, *, now: float) -> None:
        """Begin; *now* is in seconds since 1970, as all later times."""
        self._after = self._now = now
        self._seen: deque[tuple[float, int]] = deque()

    def see(self, ready: int, *, taken: float | None, now: float) -> None:
        """
        Take a look at it.

        Args:
            ready: The messages that wait in it.
            taken: When the last one was published that this process took; None if none was.
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
        """How many seconds old the first message is at most, if one was taken or came since."""
        return max(0.0, self._now - self._after)

    @property
    def drain(self) -> float | None:
        """Seconds until it is empty if it goes on so; infinity if it grows; None: too early."""
        (began, before), (at, ready) = self._seen[0], self._seen[-1]
        if ready == 0:
            return 0.0
        if at == began:
            return None
        rate = (before - ready) / (at - began)
        return ready / rate if rate > 0 else math.inf
