"""Retention: old rows are deleted, lane by lane, after their configured time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from notify.store import Store
from notify.store.apikeys import delete_old_requests
from notify.store.flow import delete_circuit_changes
from notify.store.plans import delete_plans
from notify.store.privacy import Deleted, RetentionCutoff, retention, wipe_deleted
from notify.store.suppression import delete_ended_entries

__all__ = ["Deleted", "Keep", "count_old", "delete_old"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """
    How long rows are kept.

    Attributes:
        lanes: By lane, from a notification's end or a letter's settling.
        others: For lanes that are no longer configured, and rows without a lane.
        waiting: For rows that wait for an operator; at least as long as the lane's time.
        audit: For the audit and the history of circuits.
        plans: For bulk plans, from their last change.
        receipts: For receipts that match no notification; the others are deleted with theirs.
        suppressions: For entries of the suppression list that were lifted or have ended.
        requests: For idempotency keys that came by the API.
    """

    lanes: Mapping[str, timedelta]
    others: timedelta
    waiting: timedelta
    audit: timedelta
    receipts: timedelta = timedelta(days=30)
    suppressions: timedelta = timedelta(days=90)
    plans: timedelta = timedelta(days=30)
    requests: timedelta = timedelta(days=7)

    def old(self, now: datetime) -> Iterator[RetentionCutoff]:
        """Yield what is old at *now*, lane by lane."""
        for lane, span in self.lanes.items():
            yield RetentionCutoff(
                lanes=[lane], ended=now - span, waiting=now - max(self.waiting, span)
            )
        waiting = now - max(self.waiting, self.others)
        yield RetentionCutoff(
            lanes=[*self.lanes], others=True, ended=now - self.others, waiting=waiting
        )


def delete_old(
    store: Store,
    keep: Keep,
    *,
    now: datetime,
    batch: int = 500,
    sleep: Callable[[float], None] = time.sleep,
) -> Deleted:
    """
    Delete old rows, in small transactions.

    It may run beside the workers and other runs of itself. After each transaction it sleeps for
    half the time that this took. If it is stopped, a part is done.

    Raises:
        StoreError: The record cannot be used; earlier transactions stay committed.
    """
    total = Deleted()
    for step in _steps(keep, now, batch):
        more = True
        while more:
            begun = time.monotonic()
            with store.writing() as connection:
                wipe_deleted(connection)
                deleted, more = step(connection)
            total += deleted
            if more:
                sleep((time.monotonic() - begun) / 2)
    return total


_Step = Callable[[Connection], tuple[Deleted, bool]]


def _steps(keep: Keep, now: datetime, batch: int) -> Iterator[_Step]:
    """Yield the steps; each runs until it returns that no more rows are left."""
    for old in keep.old(now):
        # Letters first: while one waits, its notification stays.
        yield _letters(old, batch)
        yield _ended(old, batch)
    yield _receipts(now - keep.receipts, batch)
    yield _audit(now - keep.audit, batch)
    yield _changes(now - keep.audit, batch)
    yield _suppressions(now - keep.suppressions, batch)
    yield _plans(now - keep.plans, batch)
    yield _requests(now - keep.requests, batch)


def _letters(old: RetentionCutoff, batch: int) -> _Step:
    def step(connection: Connection) -> tuple[Deleted, bool]:
        deleted = retention.delete_letters(connection, old, limit=batch)
        return deleted, deleted.letters >= batch

    return step


def _ended(old: RetentionCutoff, batch: int) -> _Step:
    after: datetime | None = None

    def step(connection: Connection) -> tuple[Deleted, bool]:
        nonlocal after
        deleted, after = retention.delete_ended(connection, old, after=after, limit=batch)
        return deleted, after is not None

    return step


def _receipts(before: datetime, batch: int) -> _Step:
    def step(connection: Connection) -> tuple[Deleted, bool]:
        deleted = retention.delete_receipts(connection, before=before, limit=batch)
        return deleted, deleted.receipts >= batch

    return step


def _audit(before: datetime, batch: int) -> _Step:
    def step(connection: Connection) -> tuple[Deleted, bool]:
        deleted = retention.delete_audit(connection, before=before, limit=batch)
        return deleted, deleted.audit >= batch

    return step


def _changes(before: datetime, batch: int) -> _Step:
    """Delete the history of circuits, which is kept as long as the audit and not counted."""

    def step(connection: Connection) -> tuple[Deleted, bool]:
        return Deleted(), delete_circuit_changes(connection, before=before, limit=batch) >= batch

    return step


def _suppressions(before: datetime, batch: int) -> _Step:
    """Delete ended entries of the suppression list, which have no data to count."""

    def step(connection: Connection) -> tuple[Deleted, bool]:
        return Deleted(), delete_ended_entries(connection, before=before, limit=batch) >= batch

    return step


def _plans(before: datetime, batch: int) -> _Step:
    """Delete plans with their items, which have no data to count."""

    def step(connection: Connection) -> tuple[Deleted, bool]:
        return Deleted(), delete_plans(connection, before=before, limit=batch) >= batch

    return step


def _requests(before: datetime, batch: int) -> _Step:
    """Delete idempotency keys of the API, which have no data to count."""

    def step(connection: Connection) -> tuple[Deleted, bool]:
        return Deleted(), delete_old_requests(connection, before=before, limit=batch) >= batch

    return step


def count_old(store: Store, keep: Keep, *, now: datetime) -> Deleted:
    """Count the notifications and letters that `delete_old` would delete; delete nothing."""
    total = Deleted()
    with store.reading() as connection:
        for old in keep.old(now):
            total += Deleted(
                notifications=retention.count_ended(connection, old),
                letters=retention.count_letters(connection, old),
            )
    return total
