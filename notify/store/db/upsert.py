"""Statements that insert rows, and say what happens to rows that exist already."""

from __future__ import annotations

from sqlalchemy import Connection, Engine, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert(table: Table, database: Connection | Engine) -> postgresql.Insert | sqlite.Insert:
    """Return an INSERT of the database's dialect: both have `on_conflict_do_update`."""
    if database.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)
