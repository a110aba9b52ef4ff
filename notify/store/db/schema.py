"""The schema: the tables' revision, and the migrations to this version's revision."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, select, text

from notify.store.tables import schema_floor

_LOCK = int.from_bytes(b"notify", "big")


def migrate(connection: Connection) -> tuple[str | None, str | None]:
    """
    Migrate the tables to this version's revision, in the caller's transaction.

    Returns:
        The revision before, None if there were no tables, and the revision after.

    Raises:
        alembic.util.CommandError: The tables' revision is not known to this version.
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
    command.upgrade(config, "head")
    return before, revision(connection)


def revision(connection: Connection) -> str | None:
    """Return the tables' revision; None if there are no tables."""
    return MigrationContext.configure(connection).get_current_revision()


def head() -> str | None:
    """Return this version's revision."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def fits(connection: Connection) -> bool:
    """
    Return whether this version works with the tables.

    Newer tables name the oldest revision whose code they support: an upgrade migrates first, and
    then restarts one worker after another.
    """
    current, own = revision(connection), head()
    if current is None or own is None or current <= own:
        return current == own
    floor: str = connection.execute(select(schema_floor.c.oldest)).scalar_one()
    return floor <= own


def revision_problem(current: str | None, needed: str | None) -> str:
    """Return what is wrong with tables of another revision, and what to do."""
    found = f"the record's tables are at revision {current}" if current else "there are no tables"
    if current is not None and needed is not None and current > needed:
        return f"{found} and do not support this version: install a newer version of notify"
    return f"{found}, this version needs revision {needed}: run `notify migrate`"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "notify.store:migrations")
    return config
