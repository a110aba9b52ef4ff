"""The engine of the record's database: PostgreSQL with psycopg, or SQLite in WAL mode."""

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
from notify.store.db.pool import LeanPool
from notify.store.db.sqlite_timeout import interrupt_long_statements

# libpq's timeouts, in s and ms, so that no wait for a database that is gone is endless.
_TIMEOUTS = {
    "connect_timeout": 5,
    "tcp_user_timeout": 15_000,
}

_BOUNDED: dict[str, Any] = {"max_overflow": 0, "pool_timeout": 2.0}

READS_ONLY = "notify_reads_only"
"""Execution option: the transaction writes nothing, so it does not wait for writers."""

LONGEST_WAIT = 30.0
"""Seconds that a transaction waits for others on SQLite."""


def connect(
    url: str,
    *,
    pool_size: int = 8,
    statement_timeout: float | None = None,
    by_index: bool = False,
) -> Engine:
    """
    Return the engine for a database URL; no connection is opened yet.

    Args:
        pool_size: Connections to keep open; on PostgreSQL fewer while idle.
        statement_timeout: Seconds after which a statement fails, for a process that must never
            burden the record: it opens no connection beyond *pool_size* either. None for the usual
            30 on PostgreSQL, and no end on SQLite.
        by_index: For processes whose statements all find their rows by an index. PostgreSQL keeps
            the plan of a prepared statement: one of an almost empty table scans all of it, and
            costs a worker more with each message until statistics are gathered.

    Raises:
        ConfigError: The URL names no supported database.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise _no_url() from None
    bounds = {} if statement_timeout is None else _BOUNDED
    if parsed.drivername == "sqlite":
        waits = {"timeout": LONGEST_WAIT}
        engine = create_engine(parsed, pool_size=pool_size, connect_args=waits, **bounds)
        event.listen(engine, "do_connect", partial(_make_private, parsed.database))
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin)
        if statement_timeout is not None:
            interrupt_long_statements(engine, seconds=statement_timeout)
        return engine
    if parsed.drivername != "postgresql+psycopg":
        raise _no_url()
    engine = create_engine(
        parsed,
        poolclass=LeanPool,
        pool_size=pool_size,
        connect_args=_TIMEOUTS,
        isolation_level="READ COMMITTED",
        **bounds,
    )
    event.listen(engine, "do_connect", partial(_open_session, statement_timeout, by_index))
    return engine


def _no_url() -> ConfigError:
    return ConfigError(
        "store.url names no supported database; write sqlite:////path/notify.db"
        " or postgresql+psycopg://user@host/database"
    )


def _open_session(
    statement_timeout: float | None,
    by_index: bool,
    _dialect: Any,
    _record: Any,
    arguments: Any,
    parameters: Any,
) -> Any:
    # Only here: psycopg costs a process that uses SQLite 9 MB of memory.
    from notify.store.db import session

    return session.connect(
        *arguments, statement_timeout=statement_timeout, by_index=by_index, **parameters
    )


def _make_private(path: str | None, *_: Any) -> None:
    # SQLite would create a file that all users can read; its WAL has the mode of the file.
    if path and not path.startswith((":memory:", "file:")):
        with suppress(OSError):  # it exists, or SQLite will report what is wrong
            os.close(private(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))


def _prepare_sqlite(connection: sqlite3.Connection, _: Any) -> None:
    # The driver would begin transactions itself, too late; `_begin` does it.
    connection.isolation_level = None
    _switch_to_wal(connection)
    # FULL: a commit that we acknowledged to the broker must survive a power loss.
    connection.execute("PRAGMA synchronous = FULL")


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    # SQLite does not wait for this lock, so two processes that create a file together would fail.
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
    # Writers lock at the beginning: of two transactions that read first and then write, one would
    # fail.
    reads_only = connection.get_execution_options().get(READS_ONLY, False)
    connection.exec_driver_sql("BEGIN" if reads_only else "BEGIN IMMEDIATE")
