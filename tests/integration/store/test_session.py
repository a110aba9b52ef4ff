"""Databases as their administrators set them up, and poolers in front of them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import Connection, literal, select, text

from notify.errors import StoreError, StoreUnfit
from notify.message import Status
from notify.store import Filter, Store
from notify.store.db import connect
from tests.support.migrated import migrated
from tests.support.pooler import pgbouncer
from tests.support.recording import LEASE, NOW, accepted, asked, begin, call_for

SETTINGS = {
    "DateStyle": "German, DMY",
    "IntervalStyle": "sql_standard",
    "TimeZone": "Asia/Kathmandu",
    "standard_conforming_strings": "off",
    "bytea_output": "escape",
    "extra_float_digits": "-15",
    "client_encoding": "LATIN1",
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "statement_timeout": "1ms",
    "lc_messages": "C.UTF-8",
    "transform_null_equals": "on",
}
UNTOUCHED = ("default_transaction_read_only=off", "statement_timeout=0", "datestyle=iso")
WORDS = "Žofie ☂ 你好 \\' \x01"


def run(url: str, *statements: str) -> None:
    """Run statements as the database's administrator, whatever a test has set for others."""
    address, options = url.replace("+psycopg", ""), f"-c {' -c '.join(UNTOUCHED)}"
    with psycopg.connect(address, options=options, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def name_of(url: str) -> str:
    """The name of the database."""
    return url.rpartition("/")[2]


@contextmanager
def opened(url: str) -> Iterator[Store]:
    """Open a record, whose tables may have to be made."""
    store = Store.open(url)
    try:
        store.migrate()
        yield store
    finally:
        store.close()


def shown(connection: Connection, setting: str) -> str:
    """A setting that is in force."""
    return str(connection.execute(text(f"SHOW {setting}")).scalar_one())


def one_is_recorded(store: Store) -> UUID:
    """Claim and record one notification, and read all of it as it was written."""
    entry = begin(store, to=WORDS, body=b"\x00\xff\\")
    assert store.record([accepted(entry)]) == set()
    story = store.get(entry.notification.id)
    assert story is not None
    assert (story.status, story.summary.recipient) == (Status.SENT, WORDS)
    assert story.summary.received_at == NOW
    assert [each.started_at for each in story.attempts] == [NOW]
    return entry.notification.id


def test_a_worker_s_plan_of_an_empty_table_does_not_scan_the_grown_one(
    postgres_url: str,
) -> None:
    """It stays, for a prepared statement: each message would cost more than the last."""
    migrated(postgres_url).close()
    query = text("EXPLAIN SELECT * FROM events WHERE id = ANY (ARRAY[1, 2, 3])")
    for by_index, scans in ((True, False), (False, True)):
        engine = connect(postgres_url, by_index=by_index)
        with engine.connect() as connection:
            connection.execute(text("ANALYZE events"))
            plan = "\n".join(connection.execute(query).scalars())
        engine.dispose()
        assert ("Seq Scan" in plan) is scans, plan


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("whose", ["DATABASE {database}", "ROLE odd"])
def test_what_a_database_or_a_role_sets_does_not_matter(
    postgres_url: str, name: str, whose: str
) -> None:
    """Its administrator had another application in mind."""
    database = name_of(postgres_url)
    altered = f"ALTER {whose.format(database=database)} SET {name} = '{SETTINGS[name]}'"
    owned = f"ALTER DATABASE {database} OWNER TO odd"
    run(postgres_url, "CREATE ROLE odd LOGIN", owned, "GRANT ALL ON SCHEMA public TO odd", altered)
    try:
        with opened(postgres_url.replace("notify@", "odd@")) as store:
            id_ = one_is_recorded(store)
            assert [each.id for each in store.find(Filter(), limit=5)] == [id_]
            with store.writing() as connection:
                assert shown(connection, "transaction_isolation") == "read committed"
                assert shown(connection, "statement_timeout") == "30s"
            with store.booking() as connection:
                assert shown(connection, "transaction_isolation") == "read committed"
    finally:
        run(
            postgres_url,
            "REASSIGN OWNED BY odd TO notify; DROP OWNED BY odd; DROP ROLE odd",
        )


@pytest.mark.parametrize("by", ["database", "address"])
def test_another_schema_than_public_will_do(postgres_url: str, by: str) -> None:
    """As where several applications share a database."""
    run(postgres_url, "CREATE SCHEMA ours")
    if by == "database":
        run(postgres_url, f"ALTER DATABASE {name_of(postgres_url)} SET search_path = ours, public")
    else:
        postgres_url += "?options=-csearch_path%3Dours%20-cdatestyle%3DGerman"
    with opened(postgres_url) as store:
        one_is_recorded(store)
        with store.reading() as connection:
            found = connection.execute(text("SELECT count(*) FROM ours.notifications"))
            assert found.scalar_one() == 1


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1", "EUC_JP"])
def test_an_encoding_that_cannot_hold_every_text_is_refused(
    postgres_url: str, encoding: str
) -> None:
    """Otherwise the first emoji of a customer's name would stop its message."""
    name = f"{name_of(postgres_url)}_{encoding.lower()}"
    made = f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0"
    run(postgres_url, made)
    url = postgres_url.replace(name_of(postgres_url), name)
    store = Store.open(url)
    with pytest.raises(StoreUnfit, match=rf"encoding is {encoding}.* UTF8: .*createdb"):
        store.migrate()
    assert not store.answers()
    store.close()
    run(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("ALTER DATABASE {0} SET default_transaction_read_only = on", "it accepts no writes"),
        ("ALTER DATABASE {0} SET search_path = nowhere", "no schema of the search_path"),
        ("REVOKE CREATE ON SCHEMA public FROM PUBLIC", "its user lacks a right"),
    ],
)
def test_a_database_where_no_tables_can_be_made_is_reported_in_plain_words(
    postgres_url: str, statement: str, words: str
) -> None:
    """Not by the name of a driver's exception alone, nor as one that is away."""
    user = f"plain_{name_of(postgres_url)}"
    run(postgres_url, f"CREATE ROLE {user} LOGIN", statement.format(name_of(postgres_url)))
    store = Store.open(postgres_url.replace("notify@", f"{user}@"))
    with pytest.raises(StoreUnfit, match=words):
        store.migrate()
    store.close()
    run(postgres_url, f"DROP ROLE {user}")


@pytest.mark.parametrize("more", ["", "ignore_startup_parameters = options"])
def test_it_works_behind_pgbouncer(postgres_url: str, more: str) -> None:
    """As it comes, and where it passes over what a session sets; sessions share its servers."""
    with pgbouncer(postgres_url, more=more) as url, opened(url) as store:
        # More rounds than it takes psycopg to prepare a statement, on more sessions than servers.
        with ThreadPoolExecutor(8) as threads:
            ids = set(threads.map(lambda _: one_is_recorded(store), range(80)))
        assert len(ids) == 80
        assert len(store.find(Filter(), limit=100)) == 80
        entries = [call_for(asked()) for _ in range(50)]
        assert len(store.claim(entries, now=NOW, lease=LEASE)) == 50
        with store.booking() as connection:
            assert connection.execute(select(literal(1))).scalar_one() == 1


@pytest.mark.parametrize(
    ("name", "value", "mended"),
    [
        ("DateStyle", "German", "ISO, MDY"),
        ("default_transaction_isolation", "serializable", "read committed"),
        ("standard_conforming_strings", "off", "on"),
    ],
)
def test_what_a_pooler_keeps_us_from_setting_is_refused_with_the_command(
    postgres_url: str, name: str, value: str, mended: str
) -> None:
    """A session behind it cannot set it, and would read and write otherwise without."""
    database = name_of(postgres_url)
    run(postgres_url, f"ALTER DATABASE {database} SET {name} = '{value}'")
    with pgbouncer(postgres_url) as url:
        store = Store.open(url)
        reported = rf"the pooler .* {name}, .*`ALTER ROLE notify SET {name} = '{mended}'`"
        with pytest.raises(StoreUnfit, match=reported):
            store.migrate()
        store.close()
    run(postgres_url, f"ALTER DATABASE {database} SET {name} = '{mended}'")
    with pgbouncer(postgres_url) as url, opened(url) as store:
        one_is_recorded(store)


def test_a_pooler_of_statements_is_reported_in_plain_words(postgres_url: str) -> None:
    """A claim takes a transaction, which it would tear apart."""
    with pgbouncer(postgres_url, more="pool_mode = statement") as url:
        store = Store.open(url)
        with pytest.raises(StoreError, match="its pooler pools statements"):
            store.migrate()
        store.close()
