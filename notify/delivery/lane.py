"""The sender threads of one lane: a slow or throttled lane does not slow the others."""

from __future__ import annotations

from concurrent.futures import Executor, ThreadPoolExecutor

from notify.delivery.permits import Permits


class Lane:
    """
    The threads that make one lane's calls, and the number of calls at once.

    Attributes:
        permits: One for each message in flight.
        senders: The threads that make the calls.
    """

    def __init__(self, name: str, concurrency: int, *, senders: Executor | None = None) -> None:
        """Use *senders*, or new threads; each is started when it is first needed."""
        self.permits = Permits(concurrency)
        self.senders = senders or ThreadPoolExecutor(
            concurrency, thread_name_prefix=f"sender-{name}"
        )
