"""One queue's messages in hand, and how many of them a worker asks the broker for."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from notify.worker.received import Received

CLAIMERS = 2
"""Batches of a queue at work at once: while one waits for its commit, the other is prepared."""
LARGEST_BATCH = 64
MOST_ASIDE = 64 * 1024 * 1024
"""Bytes of messages set aside beside the prefetch; more than that use it up."""
OVERHEAD = 2048
"""Bytes that a message takes in memory beside its body, roughly."""


class Intake:
    """
    The messages of one queue that wait in hand. Use it in the event loop only.

    Attributes:
        name: The queue's.
        prefetch: How many the broker may hand out at once; 0 while nothing is consumed.
        in_hand: How many are not settled yet, whatever consumer they came by, but for those that
            are set aside: another worker has them, and they are looked at again later.
        waiting: Those that no batch has taken yet.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.prefetch = 0
        self.in_hand = 0
        self.waiting: deque[Received] = deque()
        self._claimers = 0
        self._consumer = 0
        self._stuck = 0
        self._aside = 0

    def admit(self, received: Received) -> None:
        """Take a message that the broker has delivered."""
        received.consumer = self._consumer
        self._queue(received)

    def _queue(self, received: Received) -> None:
        self.in_hand += 1
        self.waiting.append(received)

    def set_aside(self, received: Received) -> None:
        """Leave a message unacknowledged for a while, out of what is in hand."""
        self.in_hand -= 1
        if received.alive:
            self._count_aside(received, 1)

    def take_up(self, received: Received) -> None:
        """Look at a message again that was set aside, unless the broker has taken it back."""
        if received.alive:
            self._count_aside(received, -1)
            self._queue(received)

    def _count_aside(self, received: Received, sign: int) -> None:
        self._aside += sign * (received.size + OVERHEAD)
        if received.consumer == self._consumer:
            self._stuck += sign

    @property
    def clogged(self) -> bool:
        """
        Whether messages set aside use up half of the prefetch.

        The broker counts them as long as their consumer lives. A new one begins to count at zero.
        """
        return 0 < self.prefetch <= 2 * self._stuck and self._aside < MOST_ASIDE

    def begin(self, prefetch: int) -> None:
        """Note that a new consumer begins, or with 0 that the last one has ended."""
        self.prefetch = prefetch
        self._consumer += 1
        self._stuck = 0

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
        self._aside = 0
        self.begin(0)

    def next_prefetch(self, wanted: int) -> int:
        """
        Tell for how many to consume where so many are wanted in hand.

        A prefetch holds for as long as its consumer, so small differences are not worth a new one.
        """
        if self.prefetch / 2 < wanted < 2 * self.prefetch:
            return self.prefetch
        return self.new_prefetch(wanted)

    def new_prefetch(self, wanted: int) -> int:
        """
        Return for how many a new consumer is to consume where so many are wanted in hand.

        What came by the consumers before it stays in hand: while that is more than enough, a new
        one gets a single message, or each change of mind would add to it.
        """
        return wanted if self.in_hand <= wanted else min(wanted, 1)
