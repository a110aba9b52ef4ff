"""
The newest commits that one process has seen, to detect a record that has gone back since.

A standby that was promoted without the last commits, or an older copy that was restored, lacks the
newest calls that this process has claimed, or their outcomes. Looking for these calls needs no
counter and no write.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, event, select

from notify.errors import StoreError
from notify.message import Identity, Status
from notify.store.delivery.claims import Entry
from notify.store.delivery.records import Record
from notify.store.tables import attempts

KEPT = 12 * 3600.0
"""Seconds for which a call is looked for; the shortest retention is a day."""
MOST = 1000
"""Commits of each kind that are remembered until a check has found them."""
_FIND = "SELECT id, outcome FROM attempts WHERE id IN ({0}, {0})"


Calls = tuple[UUID, ...]


class RecordBehind(StoreError):
    """The record lacks commits that it had confirmed; nothing may be claimed or recorded."""


class _Commits:
    """One call of each commit since the last successful check, and the newest that it found."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._seen: deque[tuple[UUID, float]] = deque(maxlen=MOST)
        self._lock = threading.Lock()

    def add(self, call: UUID) -> None:
        with self._lock:
            self._seen.append((call, self._monotonic()))

    def calls(self) -> Calls:
        """Return the calls that retention cannot have deleted yet, newest last."""
        oldest = self._monotonic() - KEPT
        with self._lock:
            return tuple(call for call, at in self._seen if at >= oldest)

    def found(self, calls: Calls) -> None:
        """Forget these calls, except for the newest."""
        older = set(calls[:-1])
        with self._lock:
            self._seen = deque((each for each in self._seen if each[0] not in older), MOST)

    def clear(self) -> None:
        with self._lock:
            self._seen.clear()


class Position:
    """
    The newest calls whose claims, and whose outcomes, were committed. Thread-safe.

    Each new connection looks for the newest call before any other use. `check` looks for one call
    of each commit since the previous check: a pooler may switch to another database while its
    connections survive, and new claims there must not hide lost ones. Once the record was found
    behind, `require` raises until a check finds everything, or until `accept`.
    """

    def __init__(self, engine: Engine, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Watch an engine's connections."""
        self._engine = engine
        self._on_sqlite = engine.dialect.name == "sqlite"
        self._claimed, self._recorded = _Commits(monotonic), _Commits(monotonic)
        self._file: tuple[int, int] | None = None
        self.behind = False
        event.listen(engine, "connect", self._connected)

    def claimed_of(self, entries: Sequence[Entry], fresh: Collection[Identity]) -> None:
        """Remember that the claims of the *fresh* entries were committed."""
        for entry in reversed(entries):
            call = entry.attempt_id if entry.status is Status.SENDING else None
            if call is not None and entry.notification.identity in fresh:
                self._claimed.add(call)
                return

    def recorded_of(self, records: Sequence[Record], written: Collection[UUID]) -> None:
        """Remember that the outcomes of the *written* notifications were committed."""
        for record in reversed(records):
            if record.notification_id in written:
                self._recorded.add(record.attempt_id)
                return

    def accept(self) -> None:
        """Accept the record as it is now."""
        self._claimed.clear()
        self._recorded.clear()
        self.behind = False

    def require(self) -> None:
        """Raise `RecordBehind` if the record was found behind; sends no query."""
        if self.behind:
            raise RecordBehind(
                "the record lacks commits that it had confirmed; nothing is claimed or recorded"
            )

    def follow_file(self) -> None:
        """Close all connections if the SQLite file was replaced by another."""
        if self._file is not None and self._file != self._file_now():
            self._file = None
            self._engine.dispose()

    def check(self, connection: Connection) -> bool:
        """Read the remembered calls, and return whether the record is behind."""
        # Read before the query: its result may lack what another thread records in the meantime.
        claimed, recorded = self._claimed.calls(), self._recorded.calls()
        if claimed or recorded:
            ids = {*claimed, *recorded}
            query = select(attempts.c.id, attempts.c.outcome).where(attempts.c.id.in_(ids))
            found = {row.id: row.outcome for row in connection.execute(query)}
            self.behind = _lacks(found, claimed, recorded)
        if not self.behind:
            self._claimed.found(claimed)
            self._recorded.found(recorded)
        return self.behind

    def _connected(self, connection: Any, _record: Any) -> None:
        if self._on_sqlite:
            self._file = self._file_now()
        claimed, recorded = self._claimed.calls()[-1:], self._recorded.calls()[-1:]
        ids = claimed + recorded
        if not ids or self.behind:
            return
        errors: Any = self._engine.dialect.loaded_dbapi
        try:
            with contextlib.closing(connection.cursor()) as cursor:
                pair = (ids[0], ids[-1])
                if self._on_sqlite:
                    cursor.execute(_FIND.format("?"), [each.hex for each in pair])
                else:
                    cursor.execute(_FIND.format("%s"), pair)
                rows = cursor.fetchall()
            connection.rollback()
        except errors.Error as error:
            raise StoreError(f"the record cannot be used: {type(error).__name__}") from None
        self.behind = _lacks({UUID(str(id_)): outcome for id_, outcome in rows}, claimed, recorded)
        self.require()

    def _file_now(self) -> tuple[int, int] | None:
        try:
            stat = Path(self._engine.url.database or "").stat()
        except OSError:
            return None
        return stat.st_dev, stat.st_ino


def _lacks(found: dict[UUID, str | None], claimed: Calls, recorded: Calls) -> bool:
    return any(call not in found for call in claimed) or any(
        found.get(call) is None for call in recorded
    )
