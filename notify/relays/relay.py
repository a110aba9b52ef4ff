"""
The publishing step of every relay: lease rows, publish them, mark or release them.

Every worker process runs one for each kind of rows. Together they publish each row once: a row is
leased under a lock that the other processes skip. If a relay dies, the lease ends and another relay
publishes the row again, under the same message id.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar

from sqlalchemy import Connection

from notify.publisher import Outgoing, Publisher, PublishResult
from notify.store import Store

BATCH_SIZE = 500
"""Rows that a relay leases at once."""
RELAY_LEASE = timedelta(seconds=60)
"""Length of a lease: how long a relay may take to publish a batch."""

Row = TypeVar("Row")


class RelayedRows(Protocol[Row]):
    """One kind of rows that wait on record to be published."""

    @property
    def batch_size(self) -> int:
        """The most rows that `lease` leases at once."""

    def lease(self, connection: Connection, *, now: datetime) -> Sequence[Row]:
        """Lease the next rows."""

    def readable(self, row: Row) -> bool:
        """Return whether this process can publish a row; one that it cannot stays leased."""

    def outgoing(self, row: Row) -> Outgoing:
        """Return a row's message."""

    def mark(self, connection: Connection, rows: Sequence[Row], *, now: datetime) -> None:
        """Mark rows as published."""

    def release(self, connection: Connection, rows: Sequence[Row], *, now: datetime) -> None:
        """End the lease of rows that the broker did not confirm."""


class Relay(Generic[Row]):
    """Publishes one kind of rows, with publisher confirms."""

    def __init__(
        self,
        rows: RelayedRows[Row],
        store: Store,
        publisher: Publisher,
        *,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self._rows = rows
        self._store = store
        self._publisher = publisher
        self._clock = clock or store.clock

    def step(self) -> bool | None:
        """Publish one batch; return True if it was full, so more may wait, and False if empty."""
        found = self.publish()
        return found == self._rows.batch_size if found in (0, self._rows.batch_size) else None

    def publish(self) -> int:
        """
        Publish one batch of rows, in the order in which they were leased; return its size.

        Raises:
            PublishError: Why the broker did not confirm the first of the rows that it did not;
                those are released, and the others are marked.
            StoreError: The record cannot be used. Rows that were published are published again
                when their lease ends.
        """
        rows = self._rows
        with self._store.writing() as connection:
            # The clock is read here, so that waiting for a write lock does not shorten the lease.
            leased = rows.lease(connection, now=self._clock())
        readable = [row for row in leased if rows.readable(row)]
        if not readable:
            return len(leased)
        result = PublishResult.publish(readable, self._publisher, outgoing=rows.outgoing)
        with self._store.writing() as connection:
            now = self._clock()
            rows.mark(connection, result.confirmed, now=now)
            rows.release(connection, result.unconfirmed, now=now)
        if result.error is not None:
            raise result.error
        return len(leased)
