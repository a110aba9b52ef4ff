"""
The record on both databases: each test that asks for `store` runs on SQLite, in clear, and on
PostgreSQL, sealed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine

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


@pytest.fixture
def store(migrated_url: str) -> Iterator[Store]:
    """An empty record."""
    engine = create_engine(migrated_url)
    with engine.begin() as connection:
        for table in metadata.sorted_tables:
            connection.execute(table.delete())
    engine.dispose()
    sealed = migrated_url.startswith("postgresql")
    store = Store.open(migrated_url, keyring=KEYRING if sealed else CLEAR)
    yield store
    store.close()
