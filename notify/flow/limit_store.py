"""One limit in the store: booking for all workers, and reporting a provider's complaints."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from notify.errors import StoreError, StoreRefused
from notify.policies.ratelimit import BookingRequest, Grant, Limit, LimitState
from notify.store import Store
from notify.store.db import ClockOffset
from notify.store.flow import bookings
from notify.store.flow import limits as record

AWAY = 0.5
"""Seconds until a store that was away is tried again."""

Write = Callable[[], tuple[LimitState, float]]


class LimitStore:
    """
    Exchanges one limit with the other workers. Safe among threads.

    All times in and out are monotonic: the store's times, by the database's clock, are translated.
    """

    def __init__(
        self, store: Store, *, offset: ClockOffset, monotonic: Callable[[], float]
    ) -> None:
        self._store = store
        self._offset = offset
        self._monotonic = monotonic
        self._away_until = monotonic()
        self._unwritten: list[Write] = []

    def book(self, limit: Limit, request: BookingRequest) -> Grant | None:
        """Book from the limit that all workers share; None while the store is away."""
        if self._monotonic() < self._away_until:
            return None
        try:
            with self._store.booking() as connection:
                grant = bookings.book(connection, limit, request)
        except StoreError:
            self._away_until = self._monotonic() + AWAY
            return None
        return grant.shifted(self._offset.learn(grant.now, now=self._monotonic()))

    def local(self, state: LimitState, now: float) -> LimitState:
        """Translate a state that was read at *now* by the database's clock."""
        return state.shifted(self._offset.learn(now, now=self._monotonic()))

    def cut(self, limit: Limit, *, retry_after: float | None, calls_per_second: float) -> None:
        """Queue a complaint for the next `write`."""
        at = self._monotonic()

        def write() -> tuple[LimitState, float]:
            rest = None if retry_after is None else retry_after - (self._monotonic() - at)
            with self._store.writing() as connection:
                return record.cut(
                    connection, limit, retry_after=rest, calls_per_second=calls_per_second
                )

        self._unwritten.append(write)

    def pause(self, name: str, seconds: float) -> None:
        """Queue a pause for the next `write`."""
        at = self._monotonic()

        def write() -> tuple[LimitState, float]:
            rest = seconds - (self._monotonic() - at)
            with self._store.writing() as connection:
                return record.pause(connection, name, seconds=rest)

        self._unwritten.append(write)

    def write(self) -> Iterator[LimitState]:
        """
        Write all queued changes; yield the limit's state after each.

        Raises:
            StoreError: The store cannot be used; the rest is kept for the next time.
        """
        for write in tuple(self._unwritten):
            with contextlib.suppress(StoreRefused):
                yield self.local(*write())
            # Another thread may have written it at the same time: writing twice does no harm.
            with contextlib.suppress(ValueError):
                self._unwritten.remove(write)
