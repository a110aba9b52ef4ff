"""Discarding dead letters: an operator decides that they need no replay."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from notify.store import Actor, Store, write_audit
from notify.store.deadletters import discard_letters

GROUP = 500
"""Letters that one transaction marks."""


def discard(store: Store, ids: Sequence[int], actor: Actor, *, now: datetime) -> int:
    """
    Mark waiting dead letters as discarded, with an audit row; nothing is deleted.

    Returns:
        How many were marked; the others are no longer waiting.

    Raises:
        StoreError: The record cannot be used.
    """
    marked = 0
    for start in range(0, len(ids), GROUP):
        with store.writing() as connection:
            done = discard_within(connection, ids[start : start + GROUP], actor, now=now)
        marked += len(done)
    return marked


def discard_within(
    connection: Connection,
    ids: Collection[int],
    actor: Actor,
    *,
    now: datetime,
    part_of: Mapping[str, Any] | None = None,
) -> list[int]:
    """
    Discard letters as `discard` does, in the caller's transaction; return those that were marked.

    Args:
        part_of: Further details of the audit row.
    """
    done = discard_letters(connection, ids, now=now)
    if done:
        details = {"letters": done, **(part_of or {})}
        write_audit(connection, actor, "dead.discard", details=details, at=now)
    return done
