"""The sender threads of one lane: a slow or throttled lane does not slow the others."""

from __future__ import annotations

import math

from notify.delivery.permits import Permits
from notify.delivery.senders import Senders, Submits

BUFFERED = 2
"""Messages to buffer for each permit, so that the next batch is there when permits are free."""


FULL_CALLS = 2
"""Calls of a full batch in flight at once, while calls are long; this bounds the memory."""


class Lane:
    """
    The threads that make one lane's calls, and the number of calls at once.

    Attributes:
        permits: For the messages between their claim and their outcome: one for each, or for
            `per_permit` of those that are sent together.
        senders: The threads that make the calls.
        batch_size: The most messages in one call.
        per_permit: How many messages of one call a permit is for.
    """

    def __init__(
        self,
        name: str,
        concurrency: int,
        *,
        batch_size: int = 1,
        senders: Submits | None = None,
    ) -> None:
        """Use *senders*, or new threads; each is started when it is first needed."""
        self.batch_size = batch_size
        grouped = math.ceil(FULL_CALLS * batch_size / concurrency)
        self.per_permit = grouped if batch_size > 1 else 1
        self.permits = Permits(concurrency)
        self.senders = senders or Senders(concurrency, name=f"sender-{name}")

    def permits_for(self, messages: int) -> int:
        """Return the number of permits for messages of one call."""
        return math.ceil(messages / self.per_permit)

    @property
    def prefetch(self) -> int:
        """How many messages to buffer now; more while calls are short."""
        return BUFFERED * self.permits.number
