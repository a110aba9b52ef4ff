"""The hot statements through PostgreSQL's driver itself: their parameters, sessions and errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import Engine, text

from notify.errors import StoreError, StoreRefused
from notify.store import Store
from notify.store.db.engine import connect
from notify.store.db.hot import run
from notify.store.db.packed import packed_array, packed_time
from tests.support.migrated import migrated
from tests.support.recording import LEASE, NOW, accepted, answer_to, asked, call_for

FIRST = datetime(1, 1, 1, tzinfo=UTC)
SUMMER = datetime(2026, 7, 1, 12, 30, 15, 999_999, tzinfo=timezone(timedelta(hours=2)))
VALUES: dict[str, Sequence[object]] = {
    "bool": [True, None, False],
    "bytea": [b"", None, bytes(range(256))],
    "bigint": [-(2**63), 2**63 - 1, None, 0],
    "int": [-(2**31), 2**31 - 1, None, 7],
    "text": ["", None, "Grüße 🎉", 'a "quoted", {braced} \\ text', "NULL"],
    "timestamptz": [NOW, None, FIRST, SUMMER, datetime(9999, 12, 31, 23, 59, tzinfo=UTC)],
    "uuid": [UUID(int=0), None, UUID(int=2**128 - 1)],
}


@pytest.fixture
def engine(postgres_url: str) -> Iterator[Engine]:
    """An engine of an empty database."""
    engine = connect(postgres_url)
    yield engine
    engine.dispose()


@pytest.fixture
def record(postgres_url: str) -> Iterator[Store]:
    """An empty record on PostgreSQL."""
    store = migrated(postgres_url)
    yield store
    store.close()


@pytest.mark.parametrize("type_", VALUES)
def test_every_value_arrives_as_it_was(engine: Engine, type_: str) -> None:
    """With nulls, only nulls, one value many times, and no value at all."""
    wanted = VALUES[type_]
    for values in (wanted, [None, None], [wanted[-1]] * 3, []):
        rows = run(engine, f"SELECT %(a)b::{type_}[]", {"a": packed_array(type_, values)})
        assert rows == [(list(values),)]


def test_a_time_arrives_as_it_was(engine: Engine) -> None:
    """To the microsecond, whatever its time zone."""
    assert run(engine, "SELECT %(at)b::timestamptz", {"at": packed_time(SUMMER)}) == [(SUMMER,)]


@pytest.mark.parametrize("value", ["half a \ud800 surrogate", "nul \0", "x" * 300])
def test_a_text_that_no_column_holds_is_refused(record: Store, value: str) -> None:
    """The same error as from SQLAlchemy, and the session still serves the next claim."""
    entry = call_for(asked(source=value))
    with pytest.raises(StoreRefused):
        record.claim([entry], now=NOW, lease=LEASE)
    answer_to(record, call_for(asked()))


def test_sessions_that_the_server_ended_are_replaced(record: Store, postgres_url: str) -> None:
    """One claim fails twice at most, not once for each session of the pool."""
    with record.reading() as one, record.reading() as other:
        one.execute(text("SELECT 1"))
        other.execute(text("SELECT 1"))
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as administrator:
        administrator.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    entry = call_for(asked())
    with pytest.raises(StoreError):
        record.record([accepted(entry)])
    answer_to(record, entry)
    assert record.record([accepted(entry)]) == set()


def test_a_session_is_returned_as_the_pool_lends_it(engine: Engine) -> None:
    """A transaction that follows on the same session is one, and can be rolled back."""
    run(engine, "SELECT 1", {})
    with engine.connect() as connection:
        connection.execute(text("CREATE TABLE left_over (id int)"))
        connection.rollback()
        assert connection.scalar(text("SELECT to_regclass('left_over')")) is None
