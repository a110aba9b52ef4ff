"""The pool of connections: few while idle, and none opened again and again under load."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from sqlalchemy import Connection, Engine, text

from notify.store import Store
from notify.store.db import pool
from notify.store.db.engine import connect
from notify.store.db.pool import IDLE, OFTEN, LeanPool
from tests.support.migrated import migrated


@pytest.fixture
def engine(postgres_url: str) -> Iterator[Engine]:
    """An engine of an empty database."""
    engine = connect(postgres_url, pool_size=8)
    yield engine
    engine.dispose()


def _use(engine: Engine, number: int) -> set[int]:
    """Use connections side by side; return their processes."""
    with ExitStack() as opened:
        used = [opened.enter_context(engine.connect()) for _ in range(number)]
        return {_process(each) for each in used}


def _process(connection: Connection) -> int:
    return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())


def _open(engine: Engine) -> int:
    assert isinstance(engine.pool, LeanPool)
    return engine.pool.checkedin()


def test_few_connections_stay_open(engine: Engine) -> None:
    """Whatever was needed for a moment, as at a start; the same ones are used again."""
    _use(engine, IDLE + 2)
    assert _open(engine) == IDLE
    assert _use(engine, IDLE) == _use(engine, IDLE)


def test_connections_that_are_needed_often_stay_open(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To open one costs more than a batch's statements; they are closed when the load is over."""
    monkeypatch.setattr(pool, "SPAN", 60.0)
    _use(engine, IDLE + OFTEN)
    assert _use(engine, IDLE + 3) == _use(engine, IDLE + 3)
    assert _open(engine) > IDLE
    monkeypatch.setattr(pool, "SPAN", 0.0)
    for _ in range(2 * OFTEN):
        _use(engine, 1)
    assert _open(engine) == IDLE
    assert len(_use(engine, 8 + 4)) == 8 + 4


def test_reads_share_one_transaction_where_that_is_wanted(store: Store) -> None:
    """One thread's on PostgreSQL; a failure in one is reported, and ends the sharing."""
    with store.reads.together(), store.reading() as one, store.reading() as other:
        assert (one is other) is (one.dialect.name == "postgresql")
    with store.reading() as alone:
        assert alone is not one


def test_a_written_row_is_read_within_a_shared_transaction(store: Store) -> None:
    """A hold that a refresh places is in force from its end on."""
    with store.reads.together():
        with store.reading() as reading:
            before: int = reading.execute(text("SELECT count(*) FROM limits")).scalar_one()
        with store.writing() as writing:
            writing.execute(
                text("INSERT INTO limits (name, tat, used, used_at) VALUES ('l',0,0,0)")
            )
        with store.reading() as reading:
            after: int = reading.execute(text("SELECT count(*) FROM limits")).scalar_one()
    assert after == before + 1


def test_an_idle_store_has_few_connections(postgres_url: str) -> None:
    """The store's own pool is this one."""
    store = migrated(postgres_url)
    with store.writing(), store.reading(), store.booking():
        pass
    assert _open(store._engine) == IDLE
    store.close()
