"""The migrations of the tables to this version's revision."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, text

from notify.errors import StoreError
from notify.store.db.online_indexes import build_indexes
from notify.store.db.schema import revision

__all__ = ["build_indexes", "migrate"]

_LOCK = int.from_bytes(b"notify", "big")


def migrate(connection: Connection) -> tuple[str | None, str | None]:
    """
    Migrate the tables to this version's revision, in the caller's transaction.

    Returns:
        The revision before, None if there were no tables, and the revision after.

    Raises:
        StoreError: The tables' revision is not known to this version.
    """
    if connection.dialect.name == "postgresql":
        # Two machines that deploy at once wait for each other; SQLite has one writer anyway.
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        # An index over a large table takes long. The wait for a lock is short, since it blocks all
        # later requests for that lock.
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SET LOCAL lock_timeout = '20s'"))
    before = revision(connection)
    config = _config()
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError:
        raise StoreError(
            "the record's tables are newer than this version of notify: install that version"
        ) from None
    return before, revision(connection)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "notify.store:migrations")
    return config
