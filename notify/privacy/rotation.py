"""Key rotation: rows are sealed again with the current key, in small transactions."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from notify.store import Actor, Store, write_audit
from notify.store.privacy import (
    forget_keys,
    reseal_letters,
    reseal_notifications,
    reseal_shared,
)

_LETTERS = 20
"""Dead letters of one transaction: with attachments, each may have ten megabytes."""


@dataclass(frozen=True, slots=True)
class Rotated:
    """How many rows were sealed again, and the keys that no row needs any more."""

    notifications: int
    letters: int
    forgotten: Sequence[str]


def rotate(
    store: Store,
    actor: Actor,
    *,
    now: datetime,
    batch: int = 200,
    sleep: Callable[[float], None] = time.sleep,
) -> Rotated:
    """
    Seal all rows with the current key that are in clear or sealed with another one.

    It may run beside the workers. After each transaction it sleeps for the time that this took. If
    it is stopped, a part is done; run it again for the rest.

    Raises:
        Sealed: The keyring cannot open a row; earlier rows stay resealed.
        StoreError: The record cannot be used.
    """
    notifications = _all(store, reseal_notifications, batch=batch, sleep=sleep)
    letters = _all(store, reseal_letters, batch=min(batch, _LETTERS), sleep=sleep)
    _all(store, reseal_shared, batch=1, sleep=sleep)
    with store.writing() as connection:
        forgotten = forget_keys(connection)
        details = {"notifications": notifications, "letters": letters, "forgotten": forgotten}
        write_audit(connection, actor, "keyring.rotate", details=details, at=now)
    return Rotated(notifications, letters, forgotten)


def _all(
    store: Store,
    step: Callable[..., Sequence[Any]],
    *,
    batch: int,
    sleep: Callable[[float], None],
) -> int:
    total, after = 0, None
    while True:
        begun = time.monotonic()
        with store.writing() as connection:
            done = step(connection, after=after, limit=batch)
        total += len(done)
        if len(done) < batch:
            return total
        after = done[-1]
        sleep(time.monotonic() - begun)
