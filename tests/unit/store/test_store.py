"""The store on SQLite: what only SQLite needs. `test_store_model.py` is the rest."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from notify.errors import ConfigError, StoreError
from notify.message import Status
from notify.store import Claim, Filter, Store
from tests.support.migrated import migrated
from tests.support.recording import (
    LATER,
    LEASE,
    asked,
    begin,
    call_for,
    claim_one,
    put_off,
    rejected,
)


def test_commits_on_sqlite_survive_a_power_loss(store: Store, path: Path) -> None:
    """WAL with full synchronisation: what we acknowledged to the broker is on the disk."""
    with store._engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2
    assert path.with_name("notify.db-wal").exists()


def test_reading_does_not_wait_for_a_writer(store: Store, path: Path) -> None:
    """`notify ls` answers while a worker is in the middle of its transaction."""
    entry = begin(store)
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    assert store.count(Filter()) == {Status.SENDING: 1}
    writer.rollback()
    writer.close()
    assert store.record([rejected(entry)]) == set()


def test_what_is_new_is_owned_though_the_rest_cannot_be_examined(store: Store, path: Path) -> None:
    """Rows that are written must be sent; otherwise they would end unknown and unsent."""
    entry = begin(store)
    store.record([put_off(entry)])
    again = call_for(entry.notification)
    connection = sqlite3.connect(path)
    connection.execute(
        "CREATE TRIGGER full BEFORE UPDATE ON notifications"
        " BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
    )
    connection.close()
    answers = store.claim([again, call_for(asked())], now=LATER, lease=LEASE)
    assert [answer.claim for answer in answers] == [Claim.BUSY, Claim.OWNED]
    with pytest.raises(StoreError):
        claim_one(store, again, now=LATER)


def test_a_full_disk_is_a_store_error(path: Path) -> None:
    """The hot writes speak to the driver directly, yet its errors become the store's own."""
    url = f"sqlite:///{path}"
    migrated(url).close()
    store = Store.open(url, pool_size=1)
    with store._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")
    with pytest.raises(StoreError) as caught:
        begin(store, body=b"secret" * 99999)
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__
    store.close()


@pytest.mark.parametrize(
    "url",
    [
        "secret",
        "mysql://ann:secret@127.0.0.1/notify",
        "postgresql://ann:secret@127.0.0.1/notify",
        "postgresql+psycopg://ann:secret@127.0.0.1:port/notify",
    ],
)
def test_a_url_that_names_no_database_for_the_record_is_refused(url: str) -> None:
    """Neither the text nor what caused it repeats the URL: it may hold a password."""
    with pytest.raises(ConfigError) as caught:
        Store.open(url)
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
