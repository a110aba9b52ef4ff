"""The shape of the tables: which revision they have, and the steps to this version's."""

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
    Bring the tables to this version's shape, in the caller's transaction.

    Returns:
        The revision that they had, None where there were none, and the one they have.

    Raises:
        alembic.util.CommandError: They are of a version that this one does not know.
    """
    if connection.dialect.name == "postgresql":
        # Two machines that deploy at once take turns; on SQLite, writers always do.
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        # An index over a large table takes its time. A lock that does not come holds up all who
        # want one after it, so it is not waited for as long.
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SET LOCAL lock_timeout = '20s'"))
    before = revision(connection)
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    return before, revision(connection)


def revision(connection: Connection) -> str | None:
    """Tell the revision that the tables have; None where there are none."""
    return MigrationContext.configure(connection).get_current_revision()


def head() -> str | None:
    """Tell the revision that this version brings tables to."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def fits(connection: Connection) -> bool:
    """
    Tell whether this version works with the tables.

    Newer ones name the oldest revision whose code they still serve: an upgrade migrates first,
    and then restarts one worker after another.
    """
    current, own = revision(connection), head()
    if current is None or own is None or current <= own:
        return current == own
    floor: str = connection.execute(select(schema_floor.c.oldest)).scalar_one()
    return floor <= own


def revision_problem(current: str | None, needed: str | None) -> str:
    """Tell what is wrong with tables that do not fit, and what to do."""
    found = f"the record's tables are at revision {current}" if current else "there are no tables"
    if current is not None and needed is not None and current > needed:
        return f"{found} and serve no version as old as this one: install a newer version of notify"
    return f"{found}, this version needs revision {needed}: run `notify migrate`"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "notify.store:migrations")
    return config
