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
    Seconds since 1970, and a monotonic clock at once. It stands still until `pass_`.

    A test of limits or circuits that waits in real seconds depends on how busy the machine is,
    and one that reads two real clocks on how far they are apart.
    """

    def __init__(self, seconds: float = 1_900_000_000.0) -> None:
        self._seconds = seconds
        self._postgresql: list[str] = []

    def __call__(self) -> float:
        """Return the time."""
        return self._seconds

    def pass_(self, seconds: float) -> None:
        """Move it on, or back by a negative number."""
        self._seconds += seconds
        for address in self._postgresql:
            self._set(address)

    def keep(self, store: Store) -> None:
        """Have the database of this store read this clock, on all connections from here on."""
        engine = store._engine
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", self._on_sqlite)
        else:
            address = engine.url.set(drivername="postgresql")
            self._postgresql.append(address.render_as_string(hide_password=False))
            self._set(self._postgresql[-1], _SHADOW)
            event.listen(engine, "connect", self._on_postgresql)
        engine.dispose()

    def _on_sqlite(self, connection: sqlite3.Connection, _: object) -> None:
        def julianday(_now: str) -> float:
            return self._seconds / _DAY + _JULIAN_1970

        connection.create_function("julianday", 1, julianday)

    @staticmethod
    def _on_postgresql(connection: psycopg.Connection, _: object) -> None:
        connection.execute("SET search_path = clocks, pg_catalog, public")
        connection.commit()

    def _set(self, address: str, before: str = "") -> None:
        with psycopg.connect(address) as connection:
            connection.execute(before.encode())
            connection.execute("DELETE FROM clocks.now")
            connection.execute("INSERT INTO clocks.now VALUES (%s)", [self._seconds])
