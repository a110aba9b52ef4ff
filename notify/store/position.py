"""How far the record had got, as one process has seen it: whether it has gone back since.

A standby that was promoted without the last commits, or an older copy that was restored, lacks
the end of what was committed: so the newest call that this process has claimed, or its outcome.
To look for that one call needs no counter, and writes nothing.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, event, select

from notify.errors import StoreError
from notify.message import Status
from notify.store.claims import Entry, Identity
from notify.store.records import Record
from notify.store.refusals import plain_errors
from notify.store.tables import attempts

KEPT = 12 * 3600.0
"""Seconds for which a call is looked for: the shortest retention is a day."""
_FIND = "SELECT id, outcome FROM attempts WHERE id IN ({0}, {0})"


Newest = tuple[UUID | None, UUID | None]
"""The newest call whose claim was committed, and the newest whose outcome was."""


class RecordBehind(StoreError):
    """The record lacks what was committed to it; nothing may be claimed or recorded."""


class Position:
    """
    The newest call whose claim, and the newest whose outcome, was committed. Safe among threads.

    Each new connection looks for them before it is used for anything else, and `check` when it is
    called. Once the record was found behind, `require` raises until `accept`.
    """

    def __init__(self, engine: Engine, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Watch an engine's connections."""
        self._engine = engine
        self._on_sqlite = engine.dialect.name == "sqlite"
        self._monotonic = monotonic
        self._claimed: UUID | None = None
        self._recorded: UUID | None = None
        self._seen_at = monotonic()
        self._file: tuple[int, int] | None = None
        self.behind = False
        event.listen(engine, "connect", self._connected)

    def claimed_of(self, entries: Sequence[Entry], fresh: Collection[Identity]) -> None:
        """Note that the claims of those *fresh* were committed."""
        for entry in reversed(entries):
            if entry.status is Status.SENDING and entry.notification.identity in fresh:
                self._claimed, self._seen_at = entry.attempt_id, self._monotonic()
                return

    def recorded_of(self, records: Sequence[Record], written: Collection[UUID]) -> None:
        """
        Note that the outcomes of those *written* were committed.

        Raises:
            RecordBehind: One was not, for its claim is lost.
        """
        if len(written) < len(records):
            with plain_errors(), self._engine.connect() as connection:
                self.check(connection)
            self.require()
        for record in reversed(records):
            if record.notification_id in written:
                self._recorded, self._seen_at = record.attempt_id, self._monotonic()
                return

    def accept(self) -> None:
        """Go on from where the record is now."""
        self._claimed = self._recorded = None
        self.behind = False

    def require(self) -> None:
        """Raise `RecordBehind` if the record was found behind; asks nothing."""
        if self.behind:
            raise RecordBehind("the record lacks what was committed to it; everything is held back")

    def follow_file(self) -> None:
        """Close what is connected to a SQLite file that is not there any more, but another is."""
        if self._file is not None and self._file != self._file_now():
            self._file = None
            self._engine.dispose()

    def check(self, connection: Connection) -> bool:
        """Look for the newest calls; return whether the record is behind."""
        newest = self._newest()
        ids = [each for each in newest if each is not None]
        if ids and not self.behind:
            query = select(attempts.c.id, attempts.c.outcome).where(attempts.c.id.in_(ids))
            self._judge({row.id: row.outcome for row in connection.execute(query)}, newest)
        return self.behind

    def _newest(self) -> Newest:
        if self._monotonic() - self._seen_at > KEPT:
            return None, None
        return self._claimed, self._recorded

    def _judge(self, found: dict[UUID, str | None], newest: Newest) -> None:
        # By what was known before the question: an outcome that another thread has recorded since
        # may be missing from the answer.
        _, recorded = newest
        self.behind = any(each is not None and each not in found for each in newest) or (
            recorded is not None and found[recorded] is None
        )

    def _connected(self, connection: Any, _record: Any) -> None:
        if self._on_sqlite:
            self._file = self._file_now()
        newest = self._newest()
        ids = [each for each in newest if each is not None]
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
        self._judge({UUID(str(id_)): outcome for id_, outcome in rows}, newest)
        self.require()

    def _file_now(self) -> tuple[int, int] | None:
        try:
            stat = Path(self._engine.url.database or "").stat()
        except OSError:
            return None
        return stat.st_dev, stat.st_ino
