"""The suppression list as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from notify.store import Store
from notify.store.suppression import find_entries, stream_entries
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
