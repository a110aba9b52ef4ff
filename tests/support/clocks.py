"""One clock for a test's processes and for its database: both move when the test moves it."""

from __future__ import annotations

import sqlite3

import psycopg
from sqlalchemy import event

from notify.store import Store

_DAY = 86400.0
_JULIAN_1970 = 2440587.5

# Before pg_catalog in the search path, this is what an unqualified clock_timestamp() calls.
_SHADOW = """
CREATE SCHEMA IF NOT EXISTS clocks;
CREATE TABLE IF NOT EXISTS clocks.now (seconds double precision NOT NULL);
CREATE OR REPLACE FUNCTION clocks.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
    AS 'SELECT to_timestamp(seconds) FROM clocks.now';
DELETE FROM clocks.now;
"""


class Clock:
    """
    Seconds since 1970, and a monotonic clock at once. It advances only by `pass_`.

    A test of limits or circuits that waits in real seconds depends on how busy the machine is,
    and one that reads two real clocks on how far they are apart.
    """

    def __init__(self, seconds: float = 1_700_000_000.0) -> None:
        self._seconds = seconds
        self._postgresql: list[psycopg.Connection] = []

    def __call__(self) -> float:
        """Return the time."""
        return self._seconds

    def pass_(self, seconds: float) -> None:
        """Advance it, or set it back by a negative number."""
        self._seconds += seconds
        for connection in self._postgresql:
            connection.execute("UPDATE clocks.now SET seconds = %s", [self._seconds])

    def keep(self, store: Store) -> None:
        """Make the database of this store read this clock, until the store is closed."""
        engine = store._engine
        engine.dispose()
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", self._on_sqlite)
            return
        address = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        connection = psycopg.connect(address, autocommit=True)
        connection.execute(_SHADOW)
        connection.execute("INSERT INTO clocks.now VALUES (%s)", [self._seconds])
        self._postgresql.append(connection)
        event.listen(engine, "connect", self._on_postgresql)
        event.listen(engine, "engine_disposed", self._on_end)

    def _on_sqlite(self, connection: sqlite3.Connection, _: object) -> None:
        def julianday(_now: str) -> float:
            return self._seconds / _DAY + _JULIAN_1970

        connection.create_function("julianday", 1, julianday)

    @staticmethod
    def _on_postgresql(connection: psycopg.Connection, _: object) -> None:
        connection.execute("SET search_path = clocks, pg_catalog, public")
        connection.commit()

    def _on_end(self, _engine: object) -> None:
        while self._postgresql:
            self._postgresql.pop().close()
