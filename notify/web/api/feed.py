"""The newest events of all sources, read once for all open streams of this process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from notify.status.events import EventHistory

PERIOD = 0.5
"""Seconds between two reads while a stream is open."""
MOST = 64
"""Open streams of one process."""
MOST_OF_KEY = 4
"""Open streams of one key."""


class EventFeed:
    """
    Reads which sources have new events; `step` runs in one thread. Thread-safe.

    Attributes:
        settled: The newest event before which no other can appear; None until the first read
            since a stream was opened.
    """

    def __init__(self, history: EventHistory) -> None:
        """Use a record's events."""
        self._history = history
        self._lock = threading.Lock()
        self._open: dict[int, int] = {}
        self._newest: dict[str, int] = {}
        self.settled: int | None = None

    @contextmanager
    def stream(self, key: int) -> Iterator[bool]:
        """Count an open stream of a key; yields whether there is room for it."""
        with self._lock:
            room = sum(self._open.values()) < MOST and self._open.get(key, 0) < MOST_OF_KEY
            if room:
                self._open[key] = self._open.get(key, 0) + 1
        try:
            yield room
        finally:
            if room:
                self._close(key)

    def newest(self, source: str) -> int:
        """Return a source's newest settled event since the first open stream; 0 if it has none."""
        return self._newest.get(source, 0)

    def step(self) -> None:
        """
        Read once, unless no stream is open.

        Raises:
            StoreError: The record cannot be read.
        """
        if not self._open:
            self.settled = None
            self._newest.clear()
            return
        settled, before = self._history.settled(), self.settled
        if settled is None:
            return
        if before is not None and settled > before:
            found = self._history.newest_by_source(after=before, until=settled)
            self._newest.update(found)
        self.settled = settled

    def _close(self, key: int) -> None:
        with self._lock:
            self._open[key] -= 1
            if not self._open[key]:
                del self._open[key]
