"""The state of a worker's event loop: written by the loop, read by any thread."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence


class LoopState:
    """
    The loop's last turn and its counts. Other threads may read the attributes.

    Attributes:
        turned_at: When the loop last turned, by the monotonic clock.
        consuming: The queues that it consumes.
        unacknowledged: Messages that are not settled yet.
        settled: Messages acknowledged or rejected since the start.
        connected: Whether it is connected to the broker.
        taken: By queue, when its last received message was published, in seconds since 1970.
        paused: Whether it consumes nothing because the record is away.
        stopping: Whether it drains in-flight messages and consumes no more.
    """

    def __init__(
        self,
        *,
        alive: Callable[[], None],
        watchdog: float | None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Start with a loop that has just turned.

        Args:
            alive: Called from the loop, to reset the watchdog timer.
            watchdog: Seconds without that call after which the process is killed; None if never.
        """
        self._alive = alive
        self._monotonic = monotonic
        # Of three calls within the timeout, one may be late and one lost.
        self._period = (watchdog or math.inf) / 3
        self._next = -math.inf if watchdog else math.inf
        self.turned_at = monotonic()
        self.consuming: Sequence[str] = ()
        self.unacknowledged = 0
        self.settled = 0
        self.taken: dict[str, float] = {}
        self.connected = self.paused = self.stopping = False

    def turn(self) -> None:
        """Record a turn of the loop, which calls this several times a second."""
        now = self.turned_at = self._monotonic()
        if now >= self._next:
            self._next = now + self._period
            self._alive()
