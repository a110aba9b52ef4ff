"""The rows of the record that some requests may refer to, found by key and by id."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from notify.message import Notification
from notify.store.deadletters import KnownNotification


class KnownRequests:
    """The result of `find_known`, by key and by id."""

    def __init__(self, rows: Iterable[KnownNotification]) -> None:
        self._by_key: dict[tuple[str, str, int], KnownNotification] = {}
        self._identities: set[tuple[str, UUID]] = set()
        self._digests: dict[tuple[str, str], set[bytes]] = {}
        for row in rows:
            self._by_key[row.key] = row
            self._identities.add((row.key[0], row.public_id))
            self._digests.setdefault(row.key[:2], set()).add(row.digest)

    def row(self, asked: Notification) -> KnownNotification | None:
        """Return the row with a notification's key, under any id; None if there is none."""
        return self._by_key.get(asked.key)

    def conflicts(self, asked: Notification) -> bool:
        """Return whether another request has its key, or its id within its source."""
        if self._digests.get(asked.key[:2], {asked.digest}) != {asked.digest}:
            return True
        return asked.key not in self._by_key and asked.identity in self._identities
