"""The record: there, of this version, writable, its clock ours, and room for more."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator, Iterator
from datetime import timedelta
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.engine import make_url

from notify.doctor.finding import Finding, fail, ok, warn
from notify.errors import Sealed, StoreError
from notify.settings import Settings
from notify.settings.urls import shown
from notify.store import Store, check_writable
from notify.store.db import read_clock

SKEW_DOUBTED = 1.0
SKEW_REFUSED = 5.0
"""Seconds between this host's clock and the database's."""

_DURABLE = ("fsync", "full_page_writes", "synchronous_commit")

ROOM_DOUBTED = 1 << 30
ROOM_REFUSED = 100 << 20
"""Bytes that are free on the disk of a SQLite record."""


def file_of(settings: Settings) -> Path | None:
    """Name the file of a SQLite record; None for another database."""
    url = make_url(settings.store.url.get_secret_value())
    return Path(url.database or "") if url.drivername == "sqlite" else None


def tables(store: Store, settings: Settings) -> Generator[Finding, None, bool]:
    """Tell whether the record can be read and written; give whether it has our tables."""
    file = file_of(settings)
    where = shown(settings.store.url.get_secret_value())
    if file is not None and not file.exists():
        # Looking into it would make it, as a file of whoever looks.
        yield fail(
            "record", f"there is no file {file}", fix="notify migrate, as the service's user"
        )
        return False
    try:
        fits, (current, needed) = store.fits(), store.revision()
    except StoreError as error:
        yield fail("record", f"{error} ({where})", fix="is the database up? correct store.url")
        return False
    if not fits:
        told = f"the tables are at revision {current or 'none'}, this version needs {needed}"
        yield fail("migrations", told, fix="notify migrate")
        return False
    yield ok("migrations", f"the tables are at revision {current}")
    try:
        with store.writing() as connection:
            check_writable(connection)
    except StoreError as error:
        text = f"it can be read and not written: {error} ({where})"
        fix = "is it a standby, a full disk, or another owner's? correct store.url or the rights"
        yield fail("record", text, fix=fix)
    else:
        yield ok("record", f"can be read and written ({where})")
    return True


def database(store: Store) -> Iterator[Finding]:
    """Report what PostgreSQL's settings do to the record's promises."""
    with store.reading() as connection:
        if connection.dialect.name != "postgresql":
            return
        asked = ", ".join(f"current_setting('{name}')" for name in (*_DURABLE, "statement_timeout"))
        *durable, timeout = connection.execute(text(f"SELECT {asked}")).one()
    off = [name for name, value in zip(_DURABLE, durable, strict=True) if value == "off"]
    for name in off:
        told = f"{name} is off: what was recorded may be lost in a crash, and sent once more"
        yield fail("database", told, fix=f"{name} = on, in postgresql.conf, database and role")
    if timeout == "0":
        told = "a pooler is in front of it, and no statement is bounded in time"
        yield warn("database", told, fix="ALTER ROLE ... SET statement_timeout = '30s'")
    if not off and timeout != "0":
        yield ok("database", f"a commit is kept through a crash; a statement ends after {timeout}")


def keys(store: Store) -> Iterator[Finding]:
    """Tell whether the keyring opens what the record is sealed with; changes nothing."""
    try:
        store.compare_keys()
    except Sealed as error:
        yield fail("keyring", str(error), fix="docs/privacy.md: a keyring is the same on all hosts")
        return
    found = "it has the keys that the record is sealed with"
    yield ok("keyring", found if store.seals else "none: personal data are recorded in clear")


def clock(store: Store, *, now: Callable[[], float]) -> Iterator[Finding]:
    """Tell how far this host's clock and the database's are apart."""
    with store.reading() as connection:
        # Connecting is not to be measured.
        read_clock(connection)
        before = now()
        there = read_clock(connection)
        after = now()
    ahead = there - (before + after) / 2
    # What the question itself took tells nothing about the clocks.
    skew = max(abs(ahead) - (after - before) / 2, 0.0)
    way = "ahead of" if ahead > 0 else "behind"
    told = f"the database's clock is {_seconds(skew)} {way} this host's"
    fix = "timedatectl timesync-status on both; let both follow the same NTP servers"
    if skew >= SKEW_REFUSED:
        yield fail("clock", told, fix=fix)
    elif skew >= SKEW_DOUBTED:
        yield warn("clock", told, fix=fix)
    else:
        yield ok("clock", f"less than {SKEW_DOUBTED:g} s between the database's and this host's")


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def room(settings: Settings, *, free: Callable[[Path], int] = _free) -> Iterator[Finding]:
    """Tell how much a SQLite record can still grow."""
    file = file_of(settings)
    if file is None or not file.parent.is_dir():
        return
    left = free(file.parent)
    told = f"{left / (1 << 20):,.0f} MiB are free in {file.parent}"
    fix = f"du -sh {file.parent}; make room, or move the record to PostgreSQL"
    if left < ROOM_REFUSED:
        yield fail("disk", told, fix=fix)
    elif left < ROOM_DOUBTED:
        yield warn("disk", told, fix=fix)
    else:
        yield ok("disk", told)


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 120 else str(timedelta(seconds=round(value)))
