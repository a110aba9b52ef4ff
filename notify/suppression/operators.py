"""The use cases of operators: entries added, lifted and imported, each with its audit row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection

from notify.store import Actor, Store, write_audit
from notify.store.suppression import (
    Added,
    ListedSuppression,
    Suppression,
    SuppressionFilter,
    lift_entries,
    refresh_statistics,
    suppress,
)

BATCH = 1000
"""Entries that one transaction of an import writes."""


def add_entry(store: Store, item: Suppression, actor: Actor, *, now: datetime) -> Added | None:
    """
    Add one entry for an operator; None if the list has it already, for as long or longer.

    Raises:
        StoreError: The record cannot be written.
    """
    with store.writing() as connection:
        added = suppress(connection, [item], now=now)
        details = {
            "ids": [each.id for each in added],
            "channel": item.channel,
            "scope": item.scope,
            "reason": item.reason,
            "until": item.until and item.until.isoformat(),
        }
        write_audit(connection, actor, "suppress.add", details=details, at=now)
    return added[0] if added else None


def add_within(
    connection: Connection,
    items: Sequence[Suppression],
    actor: Actor,
    *,
    now: datetime,
    part_of: Mapping[str, Any],
) -> list[Added | None]:
    """
    Add entries as `add_entry` does, in the caller's transaction, with one audit row.

    Args:
        part_of: Further details of the audit row.

    Returns:
        For each item its entry; None if the list has it already, for as long or longer.
    """
    # One by one: the list does not return which item an entry is from.
    entries = [next(iter(suppress(connection, [item], now=now)), None) for item in items]
    added = [entry for entry in entries if entry is not None]
    if added:
        details = {"ids": [each.id for each in added], "count": len(added), **part_of}
        write_audit(connection, actor, "suppress.add", details=details, at=now)
    return entries


def lift_for_operator(
    store: Store, wanted: SuppressionFilter, actor: Actor, *, now: datetime
) -> Sequence[ListedSuppression]:
    """
    Lift the entries in effect that match; return them.

    Raises:
        StoreError: The record cannot be written.
    """
    with store.writing() as connection:
        lifted = lift_entries(connection, wanted, now=now)
        if lifted:
            details = {"ids": [each.id for each in lifted][:1000], "count": len(lifted)}
            write_audit(connection, actor, "suppress.lift", details=details, at=now)
    return lifted


@dataclass(frozen=True, slots=True)
class ImportStep:
    """How many entries a step of an import read, and how many of them were new or longer."""

    read: int
    added: int


def import_entries(
    store: Store, items: Iterable[Suppression], actor: Actor, *, now: datetime
) -> Iterator[ImportStep]:
    """
    Add entries in transactions of `BATCH`, and yield after each; memory does not grow.

    If it is stopped, a part is done; a repeat adds the rest. The audit has a row for its beginning
    and one for its end.

    Raises:
        StoreError: The record cannot be written.
    """
    rest = iter(items)
    read = added = 0
    with store.writing() as connection:
        write_audit(connection, actor, "suppress.import", details={}, at=now)
    while batch := list(islice(rest, BATCH)):
        with store.writing() as connection:
            new = len(suppress(connection, batch, now=now))
        read, added = read + len(batch), added + new
        yield ImportStep(len(batch), new)
    with store.writing() as connection:
        # Else the plans of claims would rely on the table's size of before.
        refresh_statistics(connection)
        details = {"read": read, "added": added}
        write_audit(connection, actor, "suppress.imported", details=details, at=store.clock())
