"""The state of the whole service, read at most once a second, whatever the number of viewers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from notify.status import Overview, StatusReader

FRESH = 1.0
"""Seconds for which a snapshot is shown again."""


class Snapshots:
    """Reads the overview when a viewer asks and the last one is old. Thread-safe."""

    def __init__(
        self, reader: StatusReader, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._reader = reader
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._last: tuple[float, Overview] | None = None

    def read(self) -> Overview:
        """Return the overview, at most a second old; several viewers wait for one read."""
        with self._lock:
            if self._last is None or self._monotonic() - self._last[0] >= FRESH:
                overview = self._reader.read()
                self._last = (self._monotonic(), overview)
            return self._last[1]
