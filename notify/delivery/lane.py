"""The sender threads of one lane: a slow or throttled lane does not slow the others."""

from __future__ import annotations

from concurrent.futures import Executor, ThreadPoolExecutor

from notify.delivery.permits import Permits

BUFFERED = 2
"""Messages to buffer for each permit, so that the next batch is there when permits are free."""


class Lane:
    """
    The threads that make one lane's calls, and the number of calls at once.

    Attributes:
        permits: One for each message between its claim and its outcome.
        senders: The threads that make the calls.
    """

    def __init__(self, name: str, concurrency: int, *, senders: Executor | None = None) -> None:
        """Use *senders*, or new threads; each is started when it is first needed."""
        self.permits = Permits(concurrency)
        self.senders = senders or ThreadPoolExecutor(
            concurrency, thread_name_prefix=f"sender-{name}"
        )

    @property
    def prefetch(self) -> int:
        """How many messages to buffer now; more while calls are short."""
        return BUFFERED * self.permits.number
