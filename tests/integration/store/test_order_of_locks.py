"""Several rows are locked in one order, so that two workers do not deadlock; PostgreSQL only."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, Table, select, text

from notify.message import SharedBody
from notify.store import Store
from notify.store.db.engine import connect
from notify.store.shared_bodies import write_shared
from notify.store.tables import notifications, shared_bodies
from tests.support.recording import NOW, accepted, asked, begin
from tests.support.services import PostgreSQL

_WAITS = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
_LONGEST = 20.0
SECOND = timedelta(seconds=1)


@pytest.fixture(scope="module")
def migrated_url(postgresql: PostgreSQL) -> Iterator[str]:
    """The address of a record that the tests of this module use in turn."""
    with postgresql.record() as url:
        yield url


@pytest.fixture
def store(migrated_url: str, emptied: Callable[[], None]) -> Iterator[Store]:
    """An empty record, as a worker opens it."""
    emptied()
    store = Store(connect(migrated_url, by_index=True))
    yield store
    store.close()


def _locked_before(store: Store, table: Table, ids: list[Any], work: Callable[[], object]) -> int:
    """Return how many of the rows *work* has locked while another transaction has the first."""
    first = select(table.c.id).where(table.c.id == min(ids)).with_for_update()
    others = select(table.c.id).where(table.c.id.in_(ids), table.c.id != min(ids))
    with ThreadPoolExecutor(1) as pool:
        with store.writing() as holder:
            holder.execute(first).one()
            done = pool.submit(work)
            _until_one_waits(holder)
            with store.writing() as other:
                free = other.execute(others.with_for_update(skip_locked=True)).all()
        done.result(_LONGEST)
    return len(ids) - 1 - len(free)


def _until_one_waits(connection: Connection) -> None:
    until = time.monotonic() + _LONGEST
    waiting: int | None = 0
    while not waiting:
        assert time.monotonic() < until, "it waits for no lock"
        time.sleep(0.01)
        waiting = connection.scalar(_WAITS)


def test_ends_of_calls(store: Store) -> None:
    """A receipts worker locks notifications in the order of their ids."""
    entries = [begin(store) for _ in range(5)]
    entries.sort(key=lambda entry: entry.notification.id, reverse=True)
    ids = [entry.notification.id for entry in entries]
    ends = [accepted(entry) for entry in entries]
    assert _locked_before(store, notifications, ids, lambda: store.record(ends)) == 0
    assert store.record(ends) == set(ids)


def test_shared_parts(store: Store) -> None:
    """Two workers have members of two batches, in opposite order."""
    parts = [SharedBody(UUID(int=number), b"{}") for number in (3, 1, 2)]
    some = [asked(shared=part) for part in parts]
    engine = store._engine
    write_shared(engine, some, now=NOW)
    ids = [part.id for part in parts]

    def again() -> None:
        write_shared(engine, some, now=NOW + SECOND)

    assert _locked_before(store, shared_bodies, ids, again) == 0
