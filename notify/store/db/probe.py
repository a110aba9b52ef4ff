"""Asking whether the record can be used, at the least cost."""

from __future__ import annotations

from sqlalchemy import Connection, false, update

from notify.store.tables import notifications


def check_writable(connection: Connection) -> None:
    """
    Change nothing, in a way that only a database which lets us write allows.

    It needs SQLite's lock for writing, and a PostgreSQL that is not a read-only standby.
    """
    connection.execute(update(notifications).where(false()).values(reason=notifications.c.reason))
