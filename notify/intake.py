"""One queue's messages in hand, and how many of them a worker asks the broker for."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from notify.received import Received

CLAIMERS = 2
"""Batches of a queue at work at once: while one waits for its commit, the other is prepared."""
LARGEST_BATCH = 64


class Intake:
    """
    The messages of one queue that wait in hand. Use it in the event loop only.

    Attributes:
        name: The queue's.
        prefetch: How many the broker may hand out at once; 0 while nothing is consumed.
        waiting: Those that no batch has taken yet.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.prefetch = 0
        self.waiting: deque[Received] = deque()
        self._claimers = 0

    def batches(self) -> Iterator[list[Received]]:
        """Give a batch for each idle claimer, all that waits by then."""
        while self.waiting and self._claimers < CLAIMERS:
            size = min(len(self.waiting), LARGEST_BATCH)
            self._claimers += 1
            yield [self.waiting.popleft() for _ in range(size)]

    def begun(self) -> None:
        """Note that a batch's claimer is idle again."""
        self._claimers -= 1

    def forget(self) -> int:
        """Drop what waits, and tell how many: the connection is lost, so the broker has them."""
        dropped = len(self.waiting)
        self.waiting.clear()
        self.prefetch = 0
        return dropped

    def change(self, wanted: int) -> bool:
        """
        Tell whether to consume anew for this many.

        A prefetch holds for as long as its consumer, so small differences are not worth one.
        """
        if wanted == 0 or self.prefetch == 0:
            return wanted != self.prefetch
        return wanted >= 2 * self.prefetch or 2 * wanted <= self.prefetch
