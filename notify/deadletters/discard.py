"""Discarding: an operator's word that nothing is to be done about dead letters."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from notify.store import Actor, Store, write_audit
from notify.store.deadletters import archive as dead

GROUP = 500


def discard(store: Store, ids: Sequence[int], actor: Actor, *, now: datetime) -> int:
    """
    Mark dead letters that wait as of no more interest, with an audit row; delete nothing.

    Returns:
        How many were marked; the others have been settled meanwhile.

    Raises:
        StoreError: The record cannot be used.
    """
    marked = 0
    for start in range(0, len(ids), GROUP):
        with store.writing() as connection:
            done = dead.discard_letters(connection, ids[start : start + GROUP], now=now)
            if done:
                write_audit(connection, actor, "dead.discard", details={"letters": done}, at=now)
        marked += len(done)
    return marked
