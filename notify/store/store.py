"""The record: what was asked, which calls were made, how each ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Self
from uuid import UUID

from sqlalchemy import Connection, Engine

from notify.errors import StoreError, StoreRefused
from notify.keyring import CLEAR, Keyring
from notify.message import Identity, Status
from notify.store import queries
from notify.store.db import schema
from notify.store.db.clock import read_clock
from notify.store.db.engine import READS_ONLY, connect
from notify.store.db.probe import check_writable
from notify.store.db.record_clock import RecordClock
from notify.store.db.refusals import plain_errors
from notify.store.delivery import postgresql, sqlite
from notify.store.delivery.apart import all_busy, claim_apart
from notify.store.delivery.claims import FRESH, Claimed, Entry
from notify.store.delivery.examine import examine
from notify.store.delivery.records import Record
from notify.store.ids import rows_of
from notify.store.position import Position
from notify.store.queries import Filter, Story, Summary
from notify.store.sealing import keys
from notify.store.sealing.row_cipher import OPTION, RowCipher


class Store:
    """
    The record's database. Safe to share among threads.

    Every method raises `StoreError` where the database cannot be used, and `StoreRefused` where
    it refuses a value.

    Attributes:
        clock: The database's clock, by which all times on record are.
        position: How far the record had got, as this store has seen it.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        keyring: Keyring = CLEAR,
        host: Callable[[], float] = time.time,
    ) -> None:
        """Take the database, the keys that seal in it, and this host's clock, which is watched."""
        self._keyring = keyring
        self._engine = engine.execution_options(**{OPTION: RowCipher(keyring)})
        self._reader = self._engine.execution_options(**{READS_ONLY: True})
        # SQLite lets one transaction write at a time and has the others poll for their turn:
        # within a process, waiting in line is quicker.
        on_sqlite = engine.dialect.name == "sqlite"
        self._dialect = sqlite if on_sqlite else postgresql
        self._turn: AbstractContextManager[Any] = threading.Lock() if on_sqlite else nullcontext()
        self.clock = RecordClock(self._look_at_clock, host=host)
        self.position = Position(engine)

    @classmethod
    def open(cls, url: str, *, pool_size: int = 8, keyring: Keyring = CLEAR) -> Self:
        """Make a store from a database URL; nothing is opened before the first use."""
        return cls(connect(url, pool_size=pool_size), keyring=keyring)

    @property
    def seals(self) -> bool:
        """Whether what is personal is sealed, and not written in clear."""
        return self._keyring.current is not None

    def close(self) -> None:
        """Give back all connections."""
        self._engine.dispose()

    def check_keys(self, *, now: datetime) -> None:
        """
        Hold the keyring against the keys that sealed this record, and note the one that will.

        Call it once before anything is written.

        Raises:
            Sealed: The keyring lacks a key, or has another one under its name.
        """
        news = self.compare_keys()
        if news:
            with self.writing() as connection:
                keys.note(connection, news, now=now)
                # Somebody else may have noted another key under the name in between.
                keys.check(connection, self._keyring)

    def compare_keys(self) -> Mapping[str, bytes]:
        """Compare keys as `check_keys` does, raising the same; return what is not noted yet."""
        with self.reading() as connection:
            return keys.check(connection, self._keyring)

    def migrate(self) -> tuple[str | None, str | None]:
        """
        Bring the tables to this version's shape; harmless if they have it.

        Returns:
            The revision that the tables had, None where there were none, and the one they have.
        """
        with self.writing() as connection:
            return schema.migrate(connection)

    def revision(self) -> tuple[str | None, str | None]:
        """Tell the revision that the tables have, and the one that this version brings them to."""
        with self.reading() as connection:
            return schema.revision(connection), schema.head()

    def fits(self) -> bool:
        """Tell whether this version works with the tables: its own, or newer ones that say so."""
        with self.reading() as connection:
            return schema.fits(connection)

    def answers(self) -> bool:
        """Tell whether it can be written; may take as long as a write that fails."""
        try:
            with self.writing() as connection:
                check_writable(connection)
        except StoreError:
            return False
        return True

    def claim(self, entries: Sequence[Entry], *, now: datetime, lease: timedelta) -> list[Claimed]:
        """
        Become the owner of notifications, and open their attempts, in one transaction.

        Args:
            entries: What to record, at most one a notification.
            now: The time of the claim.
            lease: How long the claim holds; a call that is not recorded by then is unknown.
        """
        fresh = self._twice(partial(self._write_claims, entries, now=now, until=now + lease))
        known = [entry for entry in entries if entry.notification.identity not in fresh]
        if not known:
            return [FRESH] * len(entries)
        try:
            answers = self._twice(partial(self._examine, known, now=now, lease=lease))
        except StoreError:
            if not fresh:
                raise
            # What is new is written and must be sent; the others can be looked at again.
            answers = all_busy(known)
        shared = [entry for entry in known if answers[entry.notification.identity].id_in_use]
        if shared:
            answers |= claim_apart(shared, partial(self.claim, now=now, lease=lease))
        return [answers.get(entry.notification.identity, FRESH) for entry in entries]

    def _examine(
        self, known: Sequence[Entry], *, now: datetime, lease: timedelta
    ) -> dict[Identity, Claimed]:
        with self.writing() as connection:
            return examine(connection, known, now=now, lease=lease)

    def _twice(self, write: Callable[[], Any]) -> Any:
        try:
            return write()
        except StoreRefused:
            raise
        except StoreError:
            self.position.require()
            # The commit may have been made: written again, entries meet their own open calls.
            return write()

    def _write_claims(
        self, entries: Sequence[Entry], *, now: datetime, until: datetime
    ) -> set[Identity]:
        self.position.require()
        with self._guard():
            fresh: set[Identity] = self._dialect.claim(self._engine, entries, now=now, until=until)
        self.position.claimed_of(entries, fresh)
        return fresh

    def record(self, results: Sequence[Record]) -> set[UUID]:
        """
        Write how claimed calls ended, in one transaction.

        Returns:
            The notifications that were taken over meanwhile: nothing was written for these.
        """
        self.position.require()
        with self._guard():
            written: set[UUID] = self._dialect.record(self._engine, results)
        self.position.recorded_of(results, written)
        if len(written) < len(results):
            # Their claims may be lost. What was written is written, whatever the look finds.
            with suppress(StoreError), self.reading() as connection:
                self.position.check(connection)
        return {result.notification_id for result in results} - written

    def get(self, row_id: UUID) -> Story | None:
        """Read one notification with all that happened to it, by its row's id."""
        with self.reading() as connection:
            return queries.get(connection, row_id)

    def known_as(self, id_: UUID, *, source: str | None = None) -> list[Story]:
        """Read the notifications that have an id, at most one a source."""
        with self.reading() as connection:
            rows = rows_of(connection, id_, source=source)
            return [story for row in rows if (story := queries.get(connection, row))]

    def find(self, wanted: Filter, *, limit: int = 50) -> list[Summary]:
        """List the newest notifications that match."""
        with self.reading() as connection:
            return list(queries.find(connection, wanted, limit=limit))

    def count(self, wanted: Filter) -> dict[Status, int]:
        """Count the notifications that match, by status."""
        with self.reading() as connection:
            return queries.count(connection, wanted)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Run one transaction that may write; it is committed at the end of the block."""
        with self._guard(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Run one transaction that only reads."""
        with plain_errors(), self._reader.begin() as connection:
            yield connection

    @contextmanager
    def booking(self) -> Iterator[Connection]:
        """
        Run one short write that nobody waits for the disk for: what a crash may take back.

        On SQLite it is a transaction. On PostgreSQL each statement is one by itself.
        """
        with self._guard(), self._dialect.booking(self._engine) as connection:
            yield connection

    def _look_at_clock(self) -> None:
        with self.reading() as connection:
            self.clock.learn(read_clock(connection))

    @contextmanager
    def _guard(self) -> Iterator[None]:
        with plain_errors(), self._turn:
            yield
