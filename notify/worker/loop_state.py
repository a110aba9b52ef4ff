"""How a worker's event loop does: written by the loop, read by whoever wants to know."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence


class LoopState:
    """
    The loop's signs of life, and what it has in hand. Other threads may read the attributes.

    Attributes:
        turned_at: When the loop last turned, by the monotonic clock.
        consuming: The queues that it takes messages from by now.
        in_hand: Messages that are not settled yet.
        settled: Messages acknowledged or rejected since the start.
        connected: Whether the broker can give it messages.
        taken: By queue, when the last message that it took was published, in seconds since 1970.
        paused: Whether it takes none, since the record is away.
        stopping: Whether it finishes what it has and takes no more.
    """

    def __init__(
        self,
        *,
        alive: Callable[[], None],
        watchdog: float | None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Take whom to tell.

        Args:
            alive: Called from the loop, so that nobody takes it for hung.
            watchdog: Seconds without that call after which it is; None if nobody waits for it.
        """
        self._alive = alive
        self._monotonic = monotonic
        # One of three may be late, and one lost, without harm.
        self._period = (watchdog or math.inf) / 3
        self._next = -math.inf if watchdog else math.inf
        self.turned_at = monotonic()
        self.consuming: Sequence[str] = ()
        self.in_hand = 0
        self.settled = 0
        self.taken: dict[str, float] = {}
        self.connected = self.paused = self.stopping = False

    def turn(self) -> None:
        """Note that the loop turns; call it from there, several times a second."""
        now = self.turned_at = self._monotonic()
        if now >= self._next:
            self._next = now + self._period
            self._alive()
