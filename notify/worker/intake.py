"""One queue's unacknowledged messages in a worker, and its consumer's prefetch."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice

from notify.service.connections import CLAIMERS
from notify.worker.received import Received

LARGEST_BATCH = 96
LARGE = 256 * 1024
"""Bytes from which a message counts as large: its request has attachments, or is a large batch."""
BATCH_BYTES = 4 * 1024 * 1024
"""The most bytes of a batch with large messages, unless one message alone has more."""
MOST_AT_WORK = 24 * 1024 * 1024
"""The most bytes of large messages in batches and calls: each needs about six times its size."""
MOST_BUFFERED = 64 * 1024 * 1024
"""The most bytes that a prefetch should admit, by the average size of recent messages."""
FIRST_SIZE = 2 * 1024 * 1024
"""The average size that a start assumes, so that a backlog of large messages does not fill it."""
_RECENT = 64
LULL = 0.03
"""Seconds without a further message that end the wait for others."""
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

    def __init__(
        self,
        name: str,
        *,
        average: float = FIRST_SIZE,
        linger: float = 0.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Create the intake of a queue that is not consumed yet.

        Args:
            average: The size in bytes that recent messages are assumed to have.
            linger: Seconds that a first message waits for others at most, to be in one batch with
                them; it waits until none has come for `LULL`.
            monotonic: Seconds that never go back.
        """
        self.name = name
        self.prefetch = 0
        self.unacknowledged = 0
        self.buffer: deque[Received] = deque()
        self._claimers = 0
        self._consumer = 0
        self._deferred_here = 0
        self._deferred_bytes = 0
        self._average = average
        self._linger = linger
        self._monotonic = monotonic
        self._due_at = self._latest = self._wake_at = self._examined_at = 0.0
        # Large messages in the buffer, and the bytes of those in batches and calls.
        self._large = 0
        self._at_work = 0

    def admit(self, received: Received) -> None:
        """Add a message that the broker has delivered."""
        received.consumer = self._consumer
        self._average += (received.size - self._average) / _RECENT
        if self._linger:
            now = self._monotonic()
            if not self.buffer:
                self._latest = now + self._linger
            self._due_at = min(now + LULL, self._latest)
        self._queue(received)

    def wake_after(self) -> float:
        """
        Return the seconds after which to call `batches` again; 0 if no message waits to be due.

        It is also 0 if an earlier call returned them, and they are not over.
        """
        # By the time that `batches` saw: messages that became due since then still wait for it.
        now = self._examined_at
        if not self.buffer or now >= self._due_at or now < self._wake_at:
            return 0.0
        self._wake_at = self._due_at
        return self._due_at - now

    def _queue(self, received: Received) -> None:
        self.unacknowledged += 1
        self.buffer.append(received)
        self._large += received.size >= LARGE

    def settled(self, received: Received) -> bool:
        """Stop counting a message; return whether buffered ones may have waited for its bytes."""
        self.unacknowledged -= 1
        return self._finished(received)

    def _finished(self, received: Received) -> bool:
        if not received.at_work:
            # A large one that leaves the buffer without a batch.
            self._large -= received.size >= LARGE
            return False
        self._at_work -= received.at_work
        received.at_work = 0
        return bool(self.buffer)

    def defer(self, received: Received) -> bool:
        """
        Keep a message for a later retry, and stop counting it as unacknowledged.

        Returns:
            Whether buffered ones may have waited for its bytes.
        """
        received.deferred = True
        if received.alive:
            self._count_deferred(received, 1)
        return self.settled(received)

    def retry(self, received: Received) -> None:
        """Buffer a deferred message again, unless its channel is closed."""
        received.deferred = False
        if received.alive:
            self._count_deferred(received, -1)
            self._due_at = self._latest = 0.0
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
        """Yield a batch of the buffered messages for each idle claimer, once they are due."""
        if self._linger and not self._due():
            return
        while self.buffer and self._claimers < CLAIMERS:
            size = min(len(self.buffer), LARGEST_BATCH)
            if self._large and not (size := self._fitting(size)):
                return
            self._claimers += 1
            yield [self.buffer.popleft() for _ in range(size)]

    def _due(self) -> bool:
        self._examined_at = self._monotonic()
        return len(self.buffer) >= LARGEST_BATCH or self._examined_at >= self._due_at

    def _fitting(self, most: int) -> int:
        """
        Return how many buffered messages the next batch has, where some are large.

        Large ones count as at work until they are settled; with too many bytes of these, none.
        """
        if self._at_work >= MOST_AT_WORK:
            return 0
        total = 0
        for number, received in enumerate(islice(self.buffer, most)):
            total += received.size
            if number and total > BATCH_BYTES:
                return number
            if received.size >= LARGE:
                received.at_work = received.size
                self._at_work += received.size
                self._large -= 1
        return most

    def claimer_idle(self) -> None:
        """Count a batch's claimer as idle again."""
        self._claimers -= 1

    def forget(self) -> None:
        """Drop the buffered messages of a lost connection: the broker delivers them again."""
        self.unacknowledged -= len(self.buffer)
        self.buffer.clear()
        # The loop's timers may be lost with the connection.
        self._wake_at = 0.0
        self._large = 0
        self._deferred_bytes = 0
        self.begin(0)

    def next_prefetch(self, wanted: int) -> int:
        """
        Return the prefetch to use if *wanted* messages may be unacknowledged.

        A prefetch lasts as long as its consumer, so a small difference is not worth a new one.
        """
        wanted = self._affordable(wanted)
        if self.prefetch / 2 < wanted < 2 * self.prefetch:
            return self.prefetch
        return self.new_prefetch(wanted)

    def _affordable(self, wanted: int) -> int:
        """Return a prefetch, limited by the bytes that its messages would have."""
        return min(wanted, max(1, int(MOST_BUFFERED / max(self._average, 1.0))))

    def new_prefetch(self, wanted: int) -> int:
        """
        Return the prefetch of a new consumer if *wanted* messages may be unacknowledged.

        The messages of earlier consumers stay here. While they are more than enough, a new
        consumer gets a prefetch of one: otherwise each replacement would add a whole prefetch.
        """
        wanted = self._affordable(wanted)
        return wanted if self.unacknowledged <= wanted else min(wanted, 1)
