"""A source's events, replayed in order to a subscriber that has lost them, or as they come."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from notify.store import Store
from notify.store.relays import (
    EventPage,
    first_event_since,
    newest_event,
    next_transaction,
    oldest_transaction,
    read_history,
    sources_between,
)

PATIENCE = 2.0
"""Seconds to wait for transactions that may still add an event before the newest one."""
_PAUSE = 0.02


class EventHistory:
    """Reads events of sources from the record. Thread-safe."""

    def __init__(self, store: Store, *, sleep: Callable[[float], None] = time.sleep) -> None:
        """Use a record; *sleep* waits for seconds."""
        self._store = store
        self._sleep = sleep

    def page(self, source: str, *, after: int, limit: int, until: int | None = None) -> EventPage:
        """
        Return the next events of a source.

        Args:
            after: The last number that the subscriber has.
            until: A settled number at which to end; None for the newest that is settled within two
                seconds.

        Raises:
            StoreError: The record cannot be read.
        """
        end = self.settled() if until is None else until
        if end is None or end <= after:
            return EventPage([], after, complete=end is not None)
        with self._store.reading() as connection:
            return read_history(connection, source, after=after, until=end, limit=limit)

    def place_of(self, at: datetime) -> int:
        """
        Return the number after which the events of a time or later come.

        Raises:
            StoreError: The record cannot be read.
        """
        with self._store.reading() as connection:
            return first_event_since(connection, at)

    def settled(self) -> int | None:
        """
        Return the newest event before which no other can appear any more; None if it is not known.

        Raises:
            StoreError: The record cannot be read.
        """
        with self._store.reading() as connection:
            newest = newest_event(connection)
        # A transaction draws a number just before it is given its own.
        self._sleep(_PAUSE)
        with self._store.reading() as connection:
            end = next_transaction(connection)
        for _ in range(int(PATIENCE / _PAUSE)):
            with self._store.reading() as connection:
                if oldest_transaction(connection) >= end:
                    return newest
            self._sleep(_PAUSE)
        return None

    def newest_by_source(self, *, after: int, until: int) -> dict[str, int]:
        """
        Return the sources that have events after one number until another, each with its newest.

        Raises:
            StoreError: The record cannot be read.
        """
        with self._store.reading() as connection:
            return sources_between(connection, after, until)
