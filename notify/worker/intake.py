"""One queue's unacknowledged messages in a worker, and its consumer's prefetch."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from notify.service import CLAIMERS
from notify.worker.received import Received

LARGEST_BATCH = 96
MOST_DEFERRED = 64 * 1024 * 1024
"""The most bytes of deferred messages to keep beside the prefetch; more count against it."""
OVERHEAD = 2048
"""Bytes that a message needs in memory beside its body, approximately."""


class Intake:
    """
    The unacknowledged messages of one queue. For the event loop only.

    Attributes:
        name: The queue's name.
        prefetch: The prefetch of its consumer; 0 while it is not consumed.
        unacknowledged: Messages of any consumer that are not settled yet, except the deferred
            ones, which are delivered again after a wait.
        buffer: Those that are in no batch yet.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.prefetch = 0
        self.unacknowledged = 0
        self.buffer: deque[Received] = deque()
        self._claimers = 0
        self._consumer = 0
        self._deferred_here = 0
        self._deferred_bytes = 0

    def admit(self, received: Received) -> None:
        """Add a message that the broker has delivered."""
        received.consumer = self._consumer
        self._queue(received)

    def _queue(self, received: Received) -> None:
        self.unacknowledged += 1
        self.buffer.append(received)

    def defer(self, received: Received) -> None:
        """Keep a message for a later retry, and stop counting it as unacknowledged."""
        self.unacknowledged -= 1
        if received.alive:
            self._count_deferred(received, 1)

    def retry(self, received: Received) -> None:
        """Buffer a deferred message again, unless its channel is closed."""
        if received.alive:
            self._count_deferred(received, -1)
            self._queue(received)

    def _count_deferred(self, received: Received, sign: int) -> None:
        self._deferred_bytes += sign * (received.size + OVERHEAD)
        if received.consumer == self._consumer:
            self._deferred_here += sign

    @property
    def clogged(self) -> bool:
        """
        Whether deferred messages use up half of the prefetch.

        The broker counts them until their consumer is cancelled; a new consumer starts at zero.
        """
        return 0 < self.prefetch <= 2 * self._deferred_here and self._deferred_bytes < MOST_DEFERRED

    def begin(self, prefetch: int) -> None:
        """Start to count for a new consumer; with a prefetch of 0 there is none."""
        self.prefetch = prefetch
        self._consumer += 1
        self._deferred_here = 0

    def batches(self) -> Iterator[list[Received]]:
        """Yield a batch of the buffered messages for each idle claimer."""
        while self.buffer and self._claimers < CLAIMERS:
            size = min(len(self.buffer), LARGEST_BATCH)
            self._claimers += 1
            yield [self.buffer.popleft() for _ in range(size)]

    def claimer_idle(self) -> None:
        """Count a batch's claimer as idle again."""
        self._claimers -= 1

    def forget(self) -> None:
        """Drop the buffered messages of a lost connection: the broker delivers them again."""
        self.unacknowledged -= len(self.buffer)
        self.buffer.clear()
        self._deferred_bytes = 0
        self.begin(0)

    def next_prefetch(self, wanted: int) -> int:
        """
        Return the prefetch to use if *wanted* messages may be unacknowledged.

        A prefetch lasts as long as its consumer, so a small difference is not worth a new one.
        """
        if self.prefetch / 2 < wanted < 2 * self.prefetch:
            return self.prefetch
        return self.new_prefetch(wanted)

    def new_prefetch(self, wanted: int) -> int:
        """
        Return the prefetch of a new consumer if *wanted* messages may be unacknowledged.

        The messages of earlier consumers stay here. While they are more than enough, a new
        consumer gets a prefetch of one: otherwise each replacement would add a whole prefetch.
        """
        return wanted if self.unacknowledged <= wanted else min(wanted, 1)
