"""One lane's own senders: a slow or throttled lane takes nothing from the others."""

from __future__ import annotations

from concurrent.futures import Executor, ThreadPoolExecutor

from notify.delivery.permits import Permits


class Lane:
    """
    What makes one lane's calls, and how many it may make at once.

    Attributes:
        permits: One for each call in flight.
        senders: What makes them.
    """

    def __init__(self, name: str, concurrency: int, *, senders: Executor | None = None) -> None:
        """Take *senders*, or make threads; each comes to be when it is first needed."""
        self.permits = Permits(concurrency)
        self.senders = senders or ThreadPoolExecutor(
            concurrency, thread_name_prefix=f"sender-{name}"
        )
