"""The revision of the tables, and of this version; without Alembic, which costs a worker 8 MB."""

from __future__ import annotations

from pkgutil import iter_modules

from sqlalchemy import Connection, inspect, select, text

from notify.store.migrations import versions
from notify.store.tables import schema_floor


def revision(connection: Connection) -> str | None:
    """Return the tables' revision; None if there are no tables."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def head() -> str:
    """Return this version's revision: the number in the name of the newest migration."""
    names = [module.name for module in iter_modules(versions.__path__)]
    return max(name[1:5] for name in names if name.startswith("v"))


def fits(connection: Connection) -> bool:
    """
    Return whether this version works with the tables.

    Newer tables name the oldest revision whose code they support: an upgrade migrates first, and
    then restarts one worker after another.
    """
    current, own = revision(connection), head()
    if current is None or current <= own:
        return current == own
    floor: str = connection.execute(select(schema_floor.c.oldest)).scalar_one()
    return floor <= own


def revision_problem(current: str | None, needed: str | None) -> str:
    """Return what is wrong with tables of another revision, and what to do."""
    found = f"the record's tables are at revision {current}" if current else "there are no tables"
    if current is not None and needed is not None and current > needed:
        return f"{found} and do not support this version: install a newer version of notify"
    return f"{found}, this version needs revision {needed}: run `notify migrate`"
