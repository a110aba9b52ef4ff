"""How the record's database is reached: PostgreSQL by psycopg, SQLite in WAL mode."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import suppress
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from notify.errors import ConfigError
from notify.private import private
from notify.store.db import session

# Nothing may wait for ever for a database that is gone: libpq's words, in s and ms.
_PATIENCE = {
    "connect_timeout": 5,
    "tcp_user_timeout": 15_000,
}

READS_ONLY = "notify_reads_only"
"""An execution option: the transaction writes nothing, so it need not wait for writers."""

LONGEST_WAIT = 30.0
"""Seconds that a transaction waits for others on SQLite."""


def connect(url: str, *, pool_size: int = 8) -> Engine:
    """
    Make the engine for a database URL; no connection is opened yet.

    Raises:
        ConfigError: The URL names no database that the record can live in.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise _no_url() from None
    if parsed.drivername == "sqlite":
        engine = create_engine(parsed, pool_size=pool_size, connect_args={"timeout": LONGEST_WAIT})
        event.listen(engine, "do_connect", partial(_make_private, parsed.database))
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin)
        return engine
    if parsed.drivername != "postgresql+psycopg":
        raise _no_url()
    engine = create_engine(
        parsed, pool_size=pool_size, connect_args=_PATIENCE, isolation_level="READ COMMITTED"
    )
    event.listen(engine, "do_connect", _open_session)
    return engine


def _no_url() -> ConfigError:
    return ConfigError(
        "store.url names no database for the record; write sqlite:////path/notify.db"
        " or postgresql+psycopg://user@host/database"
    )


def _open_session(_dialect: Any, _record: Any, arguments: Any, parameters: Any) -> Any:
    return session.connect(*arguments, **parameters)


def _make_private(path: str | None, *_: Any) -> None:
    # SQLite would make the file readable by all; its WAL takes the file's mode.
    if path and not path.startswith((":memory:", "file:")):
        with suppress(OSError):  # it is there, or SQLite says what is wrong
            os.close(private(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))


def _prepare_sqlite(connection: sqlite3.Connection, _: Any) -> None:
    # The driver would begin transactions by itself, and late; _begin does it.
    connection.isolation_level = None
    _switch_to_wal(connection)
    # FULL: a commit that we acknowledged to the broker must survive a power loss.
    connection.execute("PRAGMA synchronous = FULL")


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    # For this one lock SQLite does not wait by itself, so processes that open a new file at the
    # same time would refuse each other.
    deadline = time.monotonic() + LONGEST_WAIT
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _begin(connection: Connection) -> None:
    # Writers take the write lock at once: two transactions that both read and then want to
    # write would otherwise refuse each other.
    reads_only = connection.get_execution_options().get(READS_ONLY, False)
    connection.exec_driver_sql("BEGIN" if reads_only else "BEGIN IMMEDIATE")
