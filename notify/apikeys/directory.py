"""The live keys in one process of the API, in memory, so that a request costs no query for them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from notify.apikeys.key import ApiKey, hash_of, key_of
from notify.errors import StoreError
from notify.store import Store
from notify.store.apikeys import find_keys, mark_used

FRESH = 0.1
"""
Seconds after a read, or one that failed, in which the keys are not read again, however many unknown
ones come.
"""
USES = 60.0
"""Seconds between two writes of when keys were last used."""
_ZERO = datetime(1970, 1, 1, tzinfo=UTC)


class KeyDirectory:
    """
    Finds keys by their secret. Thread-safe.

    While the record is away, the keys that were read last stay valid until they expire.
    """

    def __init__(self, store: Store, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Start without keys; *monotonic* returns seconds that never go back."""
        self._store = store
        self._monotonic = monotonic
        self._keys: Mapping[bytes, ApiKey] | None = None
        self._by_id: Mapping[int, ApiKey] = {}
        self._read_at = -FRESH
        self._failure: StoreError | None = None
        self._ahead = timedelta()
        self._written_at = monotonic()
        self._reading = threading.Lock()
        self._used: dict[int, datetime] = {}

    @property
    def loaded(self) -> bool:
        """Whether the keys were read at least once."""
        return self._keys is not None

    def find(self, secret: str) -> ApiKey | None:
        """
        Return the live key with a secret, among those in memory; None if there is none.

        A key that is found counts as used.
        """
        key = (self._keys or {}).get(hash_of(secret))
        if key is None or not key.live(now := self._now()):
            return None
        self._used[key.id] = now
        return key

    def still_live(self, id_: int) -> bool:
        """Return whether a key that was found before has neither expired nor been revoked."""
        key = self._by_id.get(id_)
        return key is not None and key.live(self._now())

    @property
    def fresh_for(self) -> float:
        """Seconds in which `refresh` does nothing."""
        return max(0.0, self._read_at + FRESH - self._monotonic())

    def refresh(self) -> None:
        """
        Read the keys, unless that was done just now, and write the last uses once a minute.

        Raises:
            StoreError: The record cannot be used, or could not be used just now.
        """
        with self._reading:
            if self.fresh_for:
                if self._failure is not None:
                    raise StoreError(str(self._failure))
                return
            self._failure = None
            try:
                self._read()
            except StoreError as error:
                # Else each request that waits with an unknown key waits for a read of its own.
                self._failure, self._read_at = error, self._monotonic()
                raise
        if self._monotonic() - self._written_at >= USES:
            self.write_uses()

    def _read(self) -> None:
        begun = self._monotonic()
        now = self._store.clock()
        with self._store.reading() as connection:
            rows = find_keys(connection, live_at=now)
        self._ahead = now - _ZERO - timedelta(seconds=self._monotonic())
        self._keys = {row.hash: key_of(row) for row in rows}
        self._by_id = {key.id: key for key in self._keys.values()}
        self._read_at = begun

    def write_uses(self) -> None:
        """
        Write when keys were last used.

        Raises:
            StoreError: The record cannot be written; the next call tries again.
        """
        self._written_at = self._monotonic()
        used = {id_: at.replace(second=0, microsecond=0) for id_, at in list(self._used.items())}
        with self._store.writing() as connection:
            mark_used(connection, used)
        for id_, at in used.items():
            if self._used.get(id_, at) < at + timedelta(minutes=1):
                self._used.pop(id_, None)

    def _now(self) -> datetime:
        """Return the time by the record's clock without a read of it: the caller must not wait."""
        return _ZERO + self._ahead + timedelta(seconds=self._monotonic())
