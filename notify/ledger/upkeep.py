"""Upkeep of the kept totals and of the index of open notifications."""

from __future__ import annotations

from datetime import datetime

from notify.store import Store
from notify.store.totals import fold, sweep


def keep_up(store: Store, *, now: datetime) -> None:
    """
    Add appended changes to the totals, and mark first calls that have not ended.

    Readers are right without it, but slower. It may run in several processes at once.

    Raises:
        StoreError: The record cannot be used.
    """
    for step in (fold, lambda connection: sweep(connection, now=now)):
        more = True
        while more:
            with store.writing() as connection:
                more = step(connection)
