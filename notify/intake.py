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
        in_hand: How many are not settled yet, whatever consumer they came by.
        waiting: Those that no batch has taken yet.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.prefetch = 0
        self.in_hand = 0
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

    def forget(self) -> None:
        """Drop what waits: the connection is lost, so the broker has it."""
        self.in_hand -= len(self.waiting)
        self.waiting.clear()
        self.prefetch = 0

    def next_prefetch(self, wanted: int) -> int:
        """
        Tell for how many to consume where so many are wanted in hand.

        A prefetch holds for as long as its consumer, so small differences are not worth a new one.
        What came by the consumers before it stays in hand: while that is more than enough, a new
        one gets a single message, or each change of mind would add to it.
        """
        if wanted == 0:
            return 0
        if self.prefetch / 2 < wanted < 2 * self.prefetch:
            return self.prefetch
        return wanted if self.in_hand <= wanted else 1
