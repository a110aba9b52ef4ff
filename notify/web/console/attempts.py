"""A limit on failed sign-ins, by name and by address."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

MOST_FAILURES = 5
"""Failures within a period, after which further attempts wait."""
PERIOD = 300.0
"""Seconds in which one failure is forgiven, times `MOST_FAILURES`."""
MOST_KEYS = 10_000
"""Names and addresses that are counted; then the oldest are forgotten."""


class SignInLimit:
    """
    Counts failures, each forgiven after `PERIOD / MOST_FAILURES` seconds. Thread-safe.

    A correct password does not pass while a key waits: otherwise an attacker could go on guessing
    and see which guess is answered differently.
    """

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        # By key: when its last failure will be forgiven.
        self._forgiven: OrderedDict[str, float] = OrderedDict()

    def wait(self, *keys: str) -> float:
        """Return the seconds until an attempt may be made; 0 if it may be made now."""
        now = self._monotonic()
        with self._lock:
            until = max((self._forgiven.get(key, now) for key in keys), default=now)
        return max(0.0, until - now - PERIOD + PERIOD / MOST_FAILURES)

    def failed(self, *keys: str) -> None:
        """Count a failure."""
        now = self._monotonic()
        with self._lock:
            for key in keys:
                until = max(self._forgiven.pop(key, now), now)
                self._forgiven[key] = until + PERIOD / MOST_FAILURES
            while len(self._forgiven) > MOST_KEYS:
                self._forgiven.popitem(last=False)

    def succeeded(self, *keys: str) -> None:
        """Forgive a name's failures: its user has signed in."""
        with self._lock:
            for key in keys:
                self._forgiven.pop(key, None)
