"""The database's clock, estimated by the monotonic clock between two samples."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from notify.errors import StoreError
from notify.store.db.offset import STEP, ClockOffset

FRESH = 10.0
"""Seconds for which one sample is used."""
RETRY = 1.0
"""Seconds between a failed sample and the next; the last estimate is used until then."""
CLOCK_OFF = 5.0
"""Difference in seconds between the host's and the database's clock that a worker warns of."""


class RecordClock:
    """
    Returns the time by the database's clock, at the cost of two reads of local clocks.

    All times on record are by this clock (docs/adr/0011), so that a host whose own clock is wrong
    neither takes over leases of others nor keeps its own too long. The host's clock is only
    compared: a step may mean that the host was suspended, which the monotonic clock does not count.
    Thread-safe.

    Attributes:
        set_backs: How often the database's clock was found to be set back.
    """

    def __init__(
        self,
        sample: Callable[[], None],
        *,
        host: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Create a clock.

        Args:
            sample: Reads the database's clock and passes it to `learn`; raises `StoreError`.
            host: This host's own clock, seconds since 1970.
        """
        self._sample = sample
        self._host = host
        self._monotonic = monotonic
        self._offset = ClockOffset()
        self._sampling = threading.Lock()
        self._ahead: float | None = None
        self.set_backs = 0
        self._host_ahead = 0.0
        self._fresh_until = self._retry_at = -math.inf

    def __call__(self) -> datetime:
        """
        Return the time.

        Raises:
            StoreError: The database's clock was never read, and cannot be now.
        """
        # In this order: a sample may take seconds.
        ahead = self._known()
        return datetime.fromtimestamp(self._monotonic() + ahead, UTC)

    @property
    def host_ahead(self) -> float:
        """
        Seconds by which this host's clock is ahead of the database's; negative if behind.

        Raises:
            StoreError: As `__call__`.
        """
        ahead = self._known()
        return self._host() - (self._monotonic() + ahead)

    def learn(self, database: float) -> None:
        """Add a sample: the database's time, in seconds since 1970, from an answer just read."""
        now = self._monotonic()
        ahead, before = -self._offset.learn(database, now=now), self._ahead
        if before is not None and ahead < before - STEP:
            self.set_backs += 1
        self._ahead = ahead
        self._host_ahead = self._host() - now
        self._fresh_until = now + FRESH

    def _known(self) -> float:
        if self._stale():
            self._refresh()
        assert self._ahead is not None  # noqa: S101 - or the first sample has raised
        return self._ahead

    def _stale(self) -> bool:
        if self._ahead is None:
            return True
        now = self._monotonic()
        if now < self._retry_at:
            return False
        stepped = abs(self._host() - now - self._host_ahead) > STEP
        return stepped or now >= self._fresh_until

    def _refresh(self) -> None:
        # While one thread samples, the others use the last estimate, if there is one.
        if not self._sampling.acquire(blocking=self._ahead is None):
            return
        try:
            if self._stale():
                self._sample()
        except StoreError:
            self._retry_at = self._monotonic() + RETRY
            if self._ahead is None:
                raise
        finally:
            self._sampling.release()
