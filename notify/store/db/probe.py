"""Checking that the record can be written, at the least cost."""

from __future__ import annotations

from sqlalchemy import Connection, false, update

from notify.store.tables import notifications


def check_writable(connection: Connection) -> None:
    """
    Run an update of no row, which fails if the database is read-only.

    It needs SQLite's write lock, or a PostgreSQL that is not a standby.
    """
    connection.execute(update(notifications).where(false()).values(reason=notifications.c.reason))
