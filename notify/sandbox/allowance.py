"""A vendor's own rate limit: requests a second, counted for each account."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Allowance:
    """The state of a vendor's limit after one request, for its answer."""

    granted: bool
    """Whether the request was within the limit."""
    limit: int
    """Requests in each second."""
    remaining: int
    """Requests left until `reset`."""
    reset: int
    """When the count restarts, in seconds since 1970."""
    wait: int
    """Whole seconds until then, at least one."""


class RequestCounter:
    """Counts each account's requests by whole seconds. Safe to use from several threads."""

    def __init__(self) -> None:
        self._counts: dict[str, tuple[int, int]] = {}
        self._lock = threading.Lock()

    def count(self, account: str, *, limit: int, now: float) -> Allowance:
        """
        Count one request, unless the limit of this second is reached.

        Args:
            account: The account of the request.
            limit: Requests in each second.
            now: Seconds since 1970.
        """
        second = math.floor(now)
        with self._lock:
            counted, used = self._counts.get(account, (second, 0))
            # Two threads may arrive in another order than they read the clock.
            if counted < second:
                counted, used = second, 0
            granted = used < limit
            used += granted
            self._counts[account] = counted, used
        reset = counted + 1
        wait = max(math.ceil(reset - now), 1)
        return Allowance(granted, limit, max(limit - used, 0), reset, wait)
