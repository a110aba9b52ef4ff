"""
Indexes over existing rows, which PostgreSQL builds beside the workers.

`CREATE INDEX` would keep all writers waiting until it has read the whole table. Built concurrently
it does not, but it cannot be part of the transaction of the migrations.
"""

from __future__ import annotations

import time

from sqlalchemy import Connection, Engine, Index, text
from sqlalchemy.schema import CreateIndex

from notify.store.tables import dead_letters, notifications

_ONLINE = {
    index
    for table in (notifications, dead_letters)
    for index in table.indexes
    if index.name
    in ("ix_notifications_unsettled", "ix_notifications_shared_id", "ix_dead_letters_state")
}
_LOCK = int.from_bytes(b"indexes", "big")
_POLL = 0.1
_STATE = text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(quote_ident(:name))")


def build_indexes(engine: Engine) -> None:
    """
    Build the indexes that are missing, or that an interrupted run left unfinished.

    Processes that do so at once take turns. SQLite's indexes are part of the migrations.
    """
    if engine.dialect.name != "postgresql":
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # Not back into the pool: it keeps the settings and the lock.
        connection.detach()
        for setting in ("statement_timeout", "lock_timeout"):
            connection.execute(text(f"SET {setting} = 0"))
        # In statements of their own: a build waits for all transactions that are older.
        while not connection.scalar(text(f"SELECT pg_try_advisory_lock({_LOCK})")):
            time.sleep(_POLL)
        for index in sorted(_ONLINE, key=lambda each: str(each.name)):
            _build(connection, index)


def _build(connection: Connection, index: Index) -> None:
    valid: bool | None = connection.scalar(_STATE, {"name": index.name})
    if valid:
        return
    if valid is False:
        connection.execute(text(f"DROP INDEX CONCURRENTLY {index.name}"))
    statement = str(CreateIndex(index).compile(dialect=connection.dialect))
    connection.execute(text(statement.replace("INDEX", "INDEX CONCURRENTLY", 1)))
