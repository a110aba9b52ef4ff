"""
The hot statements on PostgreSQL, through the driver itself.

They use the engine's own pool, so TLS, settings and checks of a session are those of every other
statement. Between pool and driver SQLAlchemy costs more than the statement (docs/adr/0006).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError


def run(engine: Engine, statement: str, values: Mapping[str, Any]) -> Sequence[tuple[Any, ...]]:
    """
    Run one statement as its own transaction, so no BEGIN and no COMMIT is sent; return its rows.

    It is prepared at its first use in a session, except behind a pooler.

    Raises:
        DBAPIError: As SQLAlchemy raises it.
    """
    try:
        pooled = engine.raw_connection()
    except psycopg.Error as error:
        raise _wrapped(engine, statement, error) from None
    connection: Any = pooled.driver_connection
    try:
        connection.autocommit = True
        cursor = connection.cursor(binary=True)
        rows: Sequence[tuple[Any, ...]] = cursor.execute(statement, values, prepare=True).fetchall()
        connection.autocommit = False
    except BaseException as error:
        # Not returned to the pool: its state is unknown.
        pooled.invalidate(error)
        if connection.broken:
            # The server is gone, and with it the pool's other sessions.
            engine.dispose()
        if not isinstance(error, psycopg.Error):
            raise
        raise _wrapped(engine, statement, error) from None
    finally:
        pooled.close()
    return rows


def _wrapped(engine: Engine, statement: str, error: psycopg.Error) -> BaseException:
    return DBAPIError.instance(statement, None, error, psycopg.Error, dialect=engine.dialect)
