"""Discarding dead letters: an operator decides that they need no replay."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

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
            done = discard_letters(connection, ids[start : start + GROUP], now=now)
            if done:
                write_audit(connection, actor, "dead.discard", details={"letters": done}, at=now)
        marked += len(done)
    return marked
