"""The suppression list as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from notify.store import Store
from notify.store.suppression import SEARCHED, find_entries, newest_entry, stream_entries
from notify.suppression import ListedSuppression, SuppressionFilter


def read_suppressions(
    store: Store, wanted: SuppressionFilter, *, limit: int
) -> list[ListedSuppression]:
    """
    Return the newest entries that match.

    Raises:
        StoreError: The record cannot be read.
    """
    now = store.clock()
    with store.reading() as connection:
        return find_entries(connection, wanted, now=now, limit=limit)


@dataclass(frozen=True, slots=True)
class SuppressionPage:
    """
    Some entries of a source, the newest first.

    Attributes:
        next: The number before which the next page begins; None at the end. A page may be empty
            and have one: each examines a bounded number of entries.
    """

    entries: Sequence[ListedSuppression]
    next: int | None


def read_own_suppressions(
    store: Store, wanted: SuppressionFilter, *, limit: int
) -> SuppressionPage:
    """
    Return a page of the entries that match, for a filter with an owner.

    Raises:
        StoreError: The record cannot be read.
    """
    now = store.clock()
    with store.reading() as connection:
        before = wanted.before or newest_entry(connection) + 1
        found = find_entries(connection, replace(wanted, before=before), now=now, limit=limit)
    if len(found) == limit:
        return SuppressionPage(found, found[-1].id)
    rest = before - SEARCHED
    return SuppressionPage(found, rest if rest > 1 else None)


def stream_suppressions(store: Store, wanted: SuppressionFilter) -> Iterator[ListedSuppression]:
    """
    Yield all entries that match, oldest first.

    Raises:
        StoreError: The record cannot be read.
    """
    now = store.clock()
    with store.reading() as connection:
        yield from stream_entries(connection, wanted, now=now)


def suppression_as_json(entry: ListedSuppression, *, now: datetime) -> dict[str, Any]:
    """Return an entry as `notify suppress ls --json` prints it."""
    return {
        "id": entry.id,
        "channel": entry.channel,
        "hash": entry.recipient_hash.hex(),
        "scope": entry.scope,
        "reason": entry.reason,
        "binding": entry.binding,
        "evidence": entry.evidence,
        "provider": entry.provider,
        "since": entry.since,
        "until": entry.until,
        "lifted_at": entry.lifted_at,
        "in_effect": entry.in_effect(now),
        "vendor_lift": entry.vendor_lift,
    }
