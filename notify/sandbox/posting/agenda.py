"""Items that are due at a time, taken by threads."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Agenda(Generic[Item]):
    """
    A bounded list of items, each with its time. Safe to use from several threads.

    Args:
        most: The items that may wait.
        batch: The items that `take` returns at most.
        gather: Seconds to wait for others after the first is due.
    """

    def __init__(self, *, most: int, batch: int = 1, gather: float = 0.0) -> None:
        self._most, self._batch, self._gather = most, batch, gather
        self._items: list[tuple[float, int, Item]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._closed = False
        self._taken = 0

    def add(self, item: Item, *, after: float) -> bool:
        """Add an item that is due in some seconds; return False if too many wait."""
        return not self.add_all([(item, after)])

    def add_all(self, items: Sequence[tuple[Item, float]]) -> int:
        """
        Add items, each due in some seconds, at once: `take` returns those of one time together.

        Returns:
            How many were not added, because too many wait.
        """
        with self._changed:
            now = time.monotonic()
            added = items[: max(0, self._most - len(self._items))]
            for item, after in added:
                heapq.heappush(self._items, (now + after, next(self._order), item))
            self._changed.notify()
        return len(items) - len(added)

    def take(self) -> list[Item]:
        """Wait until an item is due; return those that are, or none after `close`."""
        with self._changed:
            while not self._closed:
                wait = self._wait()
                if wait is not None and wait <= 0:
                    return self._due()
                self._changed.wait(wait)
        return []

    def done(self, count: int) -> None:
        """Report that items that were taken are processed."""
        with self._changed:
            self._taken -= count

    def close(self) -> None:
        """Make `take` return at once, from now on."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __len__(self) -> int:
        """Return how many items wait or are being processed."""
        with self._changed:
            return len(self._items) + self._taken

    def _wait(self) -> float | None:
        return self._items[0][0] + self._gather - time.monotonic() if self._items else None

    def _due(self) -> list[Item]:
        now, due = time.monotonic(), list[Item]()
        while self._items and self._items[0][0] <= now and len(due) < self._batch:
            due.append(heapq.heappop(self._items)[2])
        self._taken += len(due)
        return due
