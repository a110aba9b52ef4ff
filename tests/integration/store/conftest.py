"""
The record on both databases: each test that asks for `store` runs on SQLite, in clear, and on
PostgreSQL, sealed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from notify.keyring import CLEAR
from notify.store import Store
from notify.store.tables import metadata
from tests.support.migrated import migrated
from tests.support.sealing import KEYRING
from tests.support.services import PostgreSQL


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def migrated_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of a record that the tests of one module use in turn."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('record') / 'notify.db'}"
        migrated(url).close()
        yield url
        return
    server: PostgreSQL = request.getfixturevalue("postgresql")
    with server.record() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/notify.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture(scope="module")
def emptied(migrated_url: str) -> Iterator[Callable[[], None]]:
    """Delete all rows of `migrated_url`, in one round trip of a connection that is kept."""
    statements = [f"DELETE FROM {table.name}" for table in metadata.sorted_tables]  # noqa: S608
    script = ";".join(["BEGIN", *statements, "COMMIT"])
    where = make_url(migrated_url)
    if where.drivername == "sqlite":

        def empty_file() -> None:
            # Not kept: an open connection keeps SQLite's log beside the file.
            with closing(sqlite3.connect(str(where.database))) as connection:
                connection.executescript(script)

        yield empty_file
        return
    address = where.set(drivername="postgresql").render_as_string(hide_password=False)
    kept = psycopg.connect(address, autocommit=True)

    def empty_database() -> None:
        nonlocal kept
        try:
            kept.execute(script.encode())
        except psycopg.OperationalError:  # the previous test ended all connections
            kept = psycopg.connect(address, autocommit=True)
            kept.execute(script.encode())

    yield empty_database
    kept.close()


@pytest.fixture
def store(migrated_url: str, emptied: Callable[[], None]) -> Iterator[Store]:
    """An empty record."""
    emptied()
    sealed = migrated_url.startswith("postgresql")
    store = Store.open(migrated_url, keyring=KEYRING if sealed else CLEAR)
    yield store
    store.close()
