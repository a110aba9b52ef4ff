"""The store: the record's database, and the transactions on it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from importlib import import_module
from typing import Self, TypeVar
from uuid import UUID

from sqlalchemy import Connection, Engine

from notify.errors import StoreError, StoreRefused
from notify.keyring import CLEAR, Keyring
from notify.message import Identity, Status
from notify.store import listing, queries
from notify.store.db import schema
from notify.store.db.clock import read_clock
from notify.store.db.engine import connect
from notify.store.db.probe import check_writable
from notify.store.db.reads import Reads
from notify.store.db.record_clock import RecordClock
from notify.store.db.refusals import plain_errors
from notify.store.db.write_lock import write_lock
from notify.store.delivery.claim_known import claim_known
from notify.store.delivery.claims import Claimed, Entry, FirstClaims
from notify.store.delivery.records import Record
from notify.store.delivery.shared_ids import all_busy, claim_under_new_ids
from notify.store.ids import rows_of
from notify.store.position import Position
from notify.store.queries import Filter, Story, Summary
from notify.store.sealing import keys
from notify.store.sealing.row_cipher import OPTION, RowCipher
from notify.store.totals import LATE, mark_late

_T = TypeVar("_T")


class Store:
    """
    The record's database. Thread-safe.

    Every method raises `StoreError` if the database cannot be used, and `StoreRefused` if it
    refuses a value.

    Attributes:
        clock: The database's clock, which dates everything on record.
        position: The newest commits that this store has seen.
        reads: The transactions that only read, for reads that share one.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        keyring: Keyring = CLEAR,
        host: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Create a store; *host* is compared with the record's clock, *monotonic* times claims."""
        self._monotonic = monotonic
        self._keyring = keyring
        self._engine = engine.execution_options(**{OPTION: RowCipher(keyring)})
        self.reads = Reads(self._engine)
        # Only the one in use: psycopg costs a process on SQLite 9 MB of memory.
        self._dialect = import_module(f"notify.store.delivery.{engine.dialect.name}")
        self._write_lock = write_lock(engine)
        self.clock = RecordClock(self._sample_clock, host=host)
        self.position = Position(engine)

    @classmethod
    def open(cls, url: str, *, pool_size: int = 8, keyring: Keyring = CLEAR) -> Self:
        """Return a store for a database URL; it connects at its first use."""
        return cls(connect(url, pool_size=pool_size), keyring=keyring)

    @property
    def seals(self) -> bool:
        """Whether personal data is sealed, and not written in clear."""
        return self._keyring.current is not None

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def check_keys(self, *, now: datetime) -> None:
        """
        Compare the keyring with the keys on record, and record the key that will seal.

        Call it once before anything is written.

        Raises:
            Sealed: The keyring lacks a key, or has another one under its name.
        """
        if new := self.compare_keys():
            with self.writing() as connection:
                keys.add_keys(connection, new, now=now)
                # Another process may have recorded another key under the name in the meantime.
                keys.compare_keys(connection, self._keyring)

    def compare_keys(self) -> Mapping[str, bytes]:
        """Compare keys as `check_keys` does, raising the same; return those not on record yet."""
        with self.reading() as connection:
            return keys.compare_keys(connection, self._keyring)

    def migrate(self) -> tuple[str | None, str | None]:
        """Migrate the tables; return the revision before, None if there were none, and after."""
        # Only here: Alembic costs a worker 8 MB of memory.
        from notify.store.db.migration import build_indexes, migrate

        with self.writing() as connection:
            steps = migrate(connection)
        with plain_errors():
            build_indexes(self._engine)
        return steps

    def revision(self) -> tuple[str | None, str | None]:
        """Return the revision of the tables, and the revision of this version."""
        with self.reading() as connection:
            return schema.revision(connection), schema.head()

    def fits(self) -> bool:
        """Return whether this version works with the tables: its own, or compatible newer ones."""
        with self.reading() as connection:
            return schema.fits(connection)

    def answers(self) -> bool:
        """Return whether it can be written; may take as long as a write that fails."""
        try:
            with self.writing() as connection:
                check_writable(connection)
        except StoreError:
            return False
        return True

    def claim(self, entries: Sequence[Entry], *, now: datetime, lease: timedelta) -> list[Claimed]:
        """
        Claim notifications, and open their attempts; new ones and known ones in a transaction each.

        Args:
            entries: What to record, at most one entry for each notification.
            now: The time of the claim.
            lease: How long the claim lasts; a call that is not recorded by then is unknown.
        """
        begun = self._monotonic()
        first = self._retry_once(partial(self._write_claims, entries, now=now, until=now + lease))
        if self._monotonic() - begun > LATE:
            with suppress(StoreError), self.writing() as connection:
                mark_late(connection, [entry.notification.id for entry in entries])
        identities = [entry.notification.identity for entry in entries]
        known = [entry for entry in entries if entry.notification.identity not in first.fresh]
        if not known:
            return [first.answer(each) for each in identities]
        try:
            answers = self._retry_once(partial(self._claim_known, known, first, now, lease))
        except StoreError:
            if not first.fresh:
                raise
            # The new ones are claimed and must be sent; the others can be retried.
            answers = all_busy(known)
        if shared := [entry for entry in known if answers[entry.notification.identity].id_in_use]:
            answers |= claim_under_new_ids(shared, partial(self.claim, now=now, lease=lease))
        return [answers.get(each) or first.answer(each) for each in identities]

    def _claim_known(
        self, known: Sequence[Entry], first: FirstClaims, now: datetime, lease: timedelta
    ) -> dict[Identity, Claimed]:
        with self.writing() as connection:
            return claim_known(connection, known, first.suppressed, now=now, lease=lease)

    def _retry_once(self, write: Callable[[], _T]) -> _T:
        try:
            return write()
        except StoreRefused:
            raise
        except StoreError:
            self.position.require()
            # The commit may have succeeded: then the entries find their own open calls.
            return write()

    def _write_claims(
        self, entries: Sequence[Entry], *, now: datetime, until: datetime
    ) -> FirstClaims:
        self.position.require()
        with self._guard():
            first: FirstClaims = self._dialect.claim(self._engine, entries, now=now, until=until)
        self.position.claimed_of(entries, first.fresh - first.suppressed.keys())
        return first

    def record(self, results: Sequence[Record]) -> set[UUID]:
        """Write outcomes as `record_ends` does; return the notifications that it left out."""
        return {result.notification_id for result in results} - self.record_ends(results).keys()

    def record_ends(self, results: Sequence[Record]) -> Mapping[UUID, int]:
        """
        Write how claimed calls ended, in one transaction; of two of a notification, the first.

        Returns:
            By notification, its event. If another worker took one over, nothing was written for it.
        """
        self.position.require()
        with self._guard():
            written: dict[UUID, int] = self._dialect.record(self._engine, results)
        self.position.recorded_of(results, written)
        if len(written) < len(results):
            # Their claims may be lost; the rest is written, whatever the check finds.
            with suppress(StoreError), self.reading() as connection:
                self.position.check(connection)
        return written

    def get(self, row_id: UUID) -> Story | None:
        """Return one notification with its calls and events, by its row's id."""
        with self.reading() as connection:
            return queries.get(connection, row_id)

    def known_as(self, id_: UUID, *, source: str | None = None) -> list[Story]:
        """Return the notifications that have an id, at most one for each source."""
        with self.reading() as connection:
            rows = rows_of(connection, id_, source=source)
            return [story for row in rows if (story := queries.get(connection, row))]

    def find(self, wanted: Filter, *, limit: int = 50) -> list[Summary]:
        """Return the newest notifications that match."""
        with self.reading() as connection:
            return listing.find(connection, wanted, limit=limit)

    def count(self, wanted: Filter) -> dict[Status, int]:
        """Count the notifications that match, by status."""
        with self.reading() as connection:
            return listing.count(connection, wanted)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Run one transaction that may write; it is committed at the end of the block."""
        with self._guard(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Run one transaction that only reads."""
        with self.reads.transaction() as connection:
            yield connection

    @contextmanager
    def booking(self) -> Iterator[Connection]:
        """Run one short write that a crash may undo; on PostgreSQL each statement is by itself."""
        with self._guard(), self._dialect.booking(self._engine) as connection:
            yield connection

    def _sample_clock(self) -> None:
        with self.reading() as connection:
            self.clock.learn(read_clock(connection))

    @contextmanager
    def _guard(self) -> Iterator[None]:
        with plain_errors(), self._write_lock:
            yield
