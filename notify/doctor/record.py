"""The record: its tables, rights, database settings, keys, clock and free space."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator, Iterator
from datetime import timedelta
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.engine import make_url

from notify.doctor.finding import Finding, fail, ok, warn
from notify.errors import Sealed, StoreError
from notify.service.connections import database_connections
from notify.settings import DEAD_POOL, RECEIPTS_POOL, Settings, shown_url
from notify.store import Store
from notify.store.db import IDLE, check_writable, read_clock

SKEW_DOUBTED = 1.0
SKEW_REFUSED = 5.0
"""Seconds between this host's clock and the database's."""

_DURABLE = ("fsync", "full_page_writes", "synchronous_commit")

_CONNECTIONS = """
SELECT current_setting('max_connections')::int
        - current_setting('superuser_reserved_connections')::int,
    (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')
"""

ROOM_DOUBTED = 1 << 30
ROOM_REFUSED = 100 << 20
"""Free bytes on the disk of a SQLite record."""


def file_of(settings: Settings) -> Path | None:
    """Return the file of a SQLite record; None for another database."""
    url = make_url(settings.store.url.get_secret_value())
    return Path(url.database or "") if url.drivername == "sqlite" else None


def tables(store: Store, settings: Settings) -> Generator[Finding, None, bool]:
    """Check the tables' revision and that they can be written; return whether they fit."""
    file = file_of(settings)
    where = shown_url(settings.store.url.get_secret_value())
    if file is not None and not file.exists():
        # Connecting would create it, owned by the user who runs the doctor.
        yield fail(
            "record", f"there is no file {file}", fix="notify migrate, as the service's user"
        )
        return False
    try:
        fits, (current, needed) = store.fits(), store.revision()
    except StoreError as error:
        yield fail(
            "record", f"{error} ({where})", fix="check that the database is up; correct store.url"
        )
        return False
    if not fits:
        found = f"the tables are at revision {current or 'none'}, this version needs {needed}"
        yield fail("migrations", found, fix="notify migrate")
        return False
    yield ok("migrations", f"the tables are at revision {current}")
    yield _writable(store, where)
    return True


def _writable(store: Store, where: str) -> Finding:
    try:
        with store.writing() as connection:
            check_writable(connection)
    except StoreError as error:
        found = f"it can be read but not written: {error} ({where})"
        fix = "check for a standby, a full disk, another owner; correct store.url or the rights"
        return fail("record", found, fix=fix)
    return ok("record", f"can be read and written ({where})")


def database(store: Store) -> Iterator[Finding]:
    """Report PostgreSQL's settings that break what the record promises."""
    with store.reading() as connection:
        if connection.dialect.name != "postgresql":
            return
        asked = ", ".join(f"current_setting('{name}')" for name in (*_DURABLE, "statement_timeout"))
        *durable, timeout = connection.execute(text(f"SELECT {asked}")).one()
    off = [name for name, value in zip(_DURABLE, durable, strict=True) if value == "off"]
    for name in off:
        found = f"{name} is off: a crash may lose what was recorded, and it is sent again"
        yield fail("database", found, fix=f"{name} = on, in postgresql.conf, database and role")
    if timeout == "0":
        found = "it is behind a pooler, and statements have no timeout"
        yield warn("database", found, fix="ALTER ROLE ... SET statement_timeout = '30s'")
    if not off and timeout != "0":
        yield ok("database", f"a commit survives a crash; statements time out after {timeout}")


def connections(store: Store, settings: Settings) -> Iterator[Finding]:
    """Report how many workers PostgreSQL has connections for."""
    with store.reading() as connection:
        if connection.dialect.name != "postgresql":
            return
        row = connection.execute(text(_CONNECTIONS)).one()
    most, used = int(row[0]), int(row[1])
    pools = [*settings.pools, DEAD_POOL, RECEIPTS_POOL]
    each = max(database_connections(settings, pool) for pool in pools)
    room = (most - used) // each
    found = (
        f"{used} of {most} are in use; a worker keeps {IDLE} open and needs up to {each} under"
        f" load: there is room for {room} more"
    )
    if room:
        yield ok("connections", found)
    else:
        fix = "raise max_connections in postgresql.conf; docs/operations.md#scale-out"
        yield warn("connections", found, fix=fix)


def keys(store: Store) -> Iterator[Finding]:
    """Check that the keyring has the keys that the record is sealed with; change nothing."""
    try:
        store.compare_keys()
    except Sealed as error:
        yield fail("keyring", str(error), fix="docs/privacy.md: all hosts need the same keyring")
        return
    found = "it has the keys that the record is sealed with"
    yield ok("keyring", found if store.seals else "none: personal data is recorded in clear")


def clock(store: Store, *, now: Callable[[], float]) -> Iterator[Finding]:
    """Report the difference between this host's clock and the database's."""
    with store.reading() as connection:
        # The time to connect is not measured.
        read_clock(connection)
        before = now()
        there = read_clock(connection)
        after = now()
    ahead = there - (before + after) / 2
    # The time that the query took is not a difference of the clocks.
    skew = max(abs(ahead) - (after - before) / 2, 0.0)
    way = "ahead of" if ahead > 0 else "behind"
    found = f"the database's clock is {_seconds(skew)} {way} this host's"
    fix = "timedatectl timesync-status on both; use the same NTP servers on both"
    if skew >= SKEW_REFUSED:
        yield fail("clock", found, fix=fix)
    elif skew >= SKEW_DOUBTED:
        yield warn("clock", found, fix=fix)
    else:
        yield ok("clock", f"less than {SKEW_DOUBTED:g} s between the database's and this host's")


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def room(settings: Settings, *, free: Callable[[Path], int] = _free) -> Iterator[Finding]:
    """Report the free space for a SQLite record."""
    file = file_of(settings)
    if file is None or not file.parent.is_dir():
        return
    left = free(file.parent)
    found = f"{left / (1 << 20):,.0f} MiB are free in {file.parent}"
    fix = f"du -sh {file.parent}; free space, or move the record to PostgreSQL"
    if left < ROOM_REFUSED:
        yield fail("disk", found, fix=fix)
    elif left < ROOM_DOUBTED:
        yield warn("disk", found, fix=fix)
    else:
        yield ok("disk", found)


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 120 else str(timedelta(seconds=round(value)))
