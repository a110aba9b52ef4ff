"""Records with their tables, copied from one: a migration for each test would cost a minute."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import make_url

from notify.store import Store


def migrated(url: str) -> Store:
    """Open a record with all its tables; an SQLite file is created if it does not exist."""
    where = make_url(url)
    store = Store.open(url)
    if where.drivername == "sqlite" and where.database and not Path(where.database).exists():
        Path(where.database).write_bytes(_tables())
        return store
    before, own = store.revision()
    # Alembic loads all migrations to find that there is nothing to do.
    if before != own:
        store.migrate()
    return store


@cache
def _tables() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "notify.db"
        store = Store.open(f"sqlite:///{path}")
        store.migrate()
        store.close()
        return path.read_bytes()
