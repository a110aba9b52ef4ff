"""Building the record's tables, on both databases."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from threading import Barrier
from uuid import uuid4

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import create_engine, inspect, select, text, update

from notify.errors import StoreError
from notify.store import Store
from notify.store.db.schema import revision_problem
from notify.store.migrations.versions import v0008_one_row_per_shared_id
from notify.store.tables import metadata, notifications
from tests.support.forked import forks
from tests.support.patience import PATIENCE
from tests.support.recording import LEASE, NOW, asked, begin, call_for

HEAD = "0015"


def _migrate(url: str, barrier: Barrier | None = None) -> tuple[str | None, str | None]:
    """Migrate as a machine that deploys would; also run in a process of its own."""
    store = Store.open(url)
    if barrier is not None:
        barrier.wait(PATIENCE)
    steps = store.migrate()
    store.close()
    return steps


def test_migrating_builds_the_tables_and_again_changes_nothing(empty_url: str) -> None:
    """Every deployment may run it."""
    store = Store.open(empty_url)
    assert store.revision() == (None, HEAD)
    assert store.migrate() == (None, HEAD)
    entry = begin(store)
    assert store.migrate() == (HEAD, HEAD)
    assert store.revision() == (HEAD, HEAD)
    assert store.get(entry.notification.id) is not None
    store.close()


@pytest.mark.parametrize(("oldest", "fits"), [("0003", True), (HEAD, True), ("9998", False)])
def test_tables_of_a_newer_version_say_whom_they_serve(
    empty_url: str, oldest: str, fits: bool
) -> None:
    """An upgrade migrates first; a worker of this version that restarts then must know."""
    _migrate(empty_url)
    store = Store.open(empty_url)
    with store.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        connection.execute(text("UPDATE schema_floor SET oldest = :oldest"), {"oldest": oldest})
    assert store.fits() is fits
    store.close()
    assert "install a newer version" in revision_problem("9999", HEAD)
    assert "notify migrate" in revision_problem("0003", HEAD)


def test_the_migrations_build_what_the_code_expects(empty_url: str) -> None:
    """Columns, their nullability and the indexes are those of tables.py."""
    _migrate(empty_url)
    engine = create_engine(empty_url)
    found = inspect(engine)
    for table in metadata.sorted_tables:
        columns = {column["name"]: column["nullable"] for column in found.get_columns(table.name)}
        assert columns == {column.name: bool(column.nullable) for column in table.columns}
        indexes = {
            index["name"]
            for index in found.get_indexes(table.name)
            if "duplicates_constraint" not in index
        }
        assert indexes == {index.name for index in table.indexes}
    engine.dispose()


def test_rows_that_share_an_id_of_one_source_keep_it_once(empty_url: str) -> None:
    """Code before revision 0008 could record such; the migration must not fail of them."""
    _migrate(empty_url)
    store = Store.open(empty_url)
    shared = uuid4()
    sources = ("bank", "bank", "club")
    entries = [call_for(asked(source=source)) for source in sources]
    store.claim(entries, now=NOW, lease=LEASE)
    with store.writing() as connection:
        connection.execute(text("DROP INDEX uq_notifications_source_public_id"))
        connection.execute(update(notifications).values(public_id=shared))
        # This step alone: the tables of later ones exist.
        with Operations.context(MigrationContext.configure(connection)):
            v0008_one_row_per_shared_id.upgrade()
    with store.reading() as connection:
        kept = connection.execute(select(notifications.c.source, notifications.c.public_id)).all()
    assert sorted(tuple(row) for row in kept if row.public_id) == [
        ("bank", shared),
        ("club", shared),
    ]
    assert len(kept) == len(sources)
    store.close()


def test_threads_that_migrate_at_once_take_turns(empty_url: str) -> None:
    """One builds the tables; the others find them built."""
    barrier = Barrier(4)
    with ThreadPoolExecutor(4) as pool:
        steps = list(pool.map(_migrate, [empty_url] * 4, [barrier] * 4))
    assert sorted(steps, key=str) == [(HEAD, HEAD)] * 3 + [(None, HEAD)]


def test_processes_that_migrate_at_once_take_turns(empty_url: str) -> None:
    """Two machines that deploy together do not break each other."""
    context = forks()
    with context.Manager() as manager, ProcessPoolExecutor(2, mp_context=context) as pool:
        barrier = manager.Barrier(2)
        steps = list(pool.map(_migrate, [empty_url] * 2, [barrier] * 2, timeout=PATIENCE))
    assert sorted(steps, key=str) == [(HEAD, HEAD), (None, HEAD)]


def test_tables_of_a_newer_version_are_left_alone(empty_url: str) -> None:
    """An old deployment that comes late says so and changes nothing."""
    _migrate(empty_url)
    engine = create_engine(empty_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    store = Store.open(empty_url)
    with pytest.raises(StoreError, match="newer than this version"):
        store.migrate()
    assert store.revision() == ("9999", HEAD)
    store.close()


def test_an_index_that_an_interrupted_migration_left_is_built_again(postgres_url: str) -> None:
    """A concurrent build that fails leaves an index that no query uses."""
    _migrate(postgres_url)
    store = Store.open(postgres_url)
    with store.writing() as connection:
        connection.execute(
            text(
                "UPDATE pg_index SET indisvalid = false"
                " WHERE indexrelid = 'ix_notifications_unsettled'::regclass"
            )
        )
        connection.execute(text("DROP INDEX ix_dead_letters_state"))
    assert store.migrate() == (HEAD, HEAD)
    names = text("SELECT relname FROM pg_index JOIN pg_class ON oid = indexrelid WHERE indisvalid")
    with store.reading() as connection:
        valid: set[str] = set(connection.execute(names).scalars())
    assert {"ix_notifications_unsettled", "ix_dead_letters_state"} <= valid
    store.close()
