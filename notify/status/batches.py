"""Batches: the recent ones, and one with the progress of its recipients."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from notify.message import Status
from notify.store import Filter, Store
from notify.store.status import BatchSize, Matches, PageKey, RowSearch, find_batches, find_matches


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """One batch: its recipients by status, and a page of them."""

    batch_id: UUID
    counts: Mapping[Status, int]
    members: Matches

    @property
    def total(self) -> int:
        """All recipients that are on record."""
        return sum(self.counts.values())

    @property
    def ended(self) -> int:
        """Recipients whose notification has ended."""
        return sum(n for status, n in self.counts.items() if status.final)


def recent_batches(store: Store, *, source: str | None = None, limit: int) -> list[BatchSize]:
    """
    Return the batches among the newest notifications, newest first.

    Raises:
        StoreError: The record cannot be read.
    """
    with store.reading() as connection:
        return find_batches(connection, source=source, limit=limit)


def read_batch(
    store: Store, batch_id: UUID, *, after: PageKey | None = None, limit: int
) -> BatchProgress | None:
    """
    Return the progress of a batch; None if none of its notifications is on record.

    Raises:
        StoreError: The record cannot be read.
    """
    counts = store.count(Filter(batch_id=batch_id))
    if not counts:
        return None
    with store.reading() as connection:
        wanted = RowSearch(batch_id=batch_id)
        members = find_matches(connection, wanted, after=after, limit=limit)
    return BatchProgress(batch_id, Counter(counts), members)
