"""Opening the record: the one way for every command, the worker and the doctor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from notify.errors import ConfigError, NotifyError, Sealed, StoreError, StoreUnfit
from notify.settings import Settings, keyring_of
from notify.store import Store
from notify.store.db import connect, revision_problem

COMMAND_CONNECTIONS = 4
"""Database connections that a command keeps open at most."""


def open_store(
    settings: Settings,
    *,
    connections: int = COMMAND_CONNECTIONS,
    statement_timeout: float | None = None,
    by_index: bool = False,
) -> Store:
    """
    Make the record's store, with the keyring; nothing is opened before the first use.

    A statement fails after *statement_timeout* seconds, if it is not None. With *by_index*, tables
    are scanned only where no index can be used.

    Raises:
        ConfigError: The keyring is broken, or is missing and required.
    """
    url = settings.store.url.get_secret_value()
    keyring = keyring_of(settings.privacy)
    engine = connect(
        url, pool_size=connections, statement_timeout=statement_timeout, by_index=by_index
    )
    return Store(engine, keyring=keyring)


@contextmanager
def opened_record(
    settings: Settings,
    *,
    needs_tables: bool = True,
    connections: int = COMMAND_CONNECTIONS,
    by_index: bool = False,
) -> Iterator[Store]:
    """
    Open the record, check that it can be used, and close it at the end.

    Args:
        needs_tables: Whether to check its tables and keys; only `notify migrate` and the doctor,
            which reports each fault by itself, do not.
        connections: Database connections to keep open at most.
        by_index: Whether all statements of this process find their rows by an index.

    Raises:
        NotifyError: The database cannot be used, the tables are of another version, or the keyring
            lacks a key; the text says what to do.
    """
    store = open_store(settings, connections=connections, by_index=by_index)
    try:
        if needs_tables:
            check_tables(store)
            store.check_keys(now=store.clock())
        yield store
    except (Sealed, StoreUnfit):
        raise
    except StoreError as error:
        raise NotifyError(f"{error}; check that the database of store.url is up") from None
    finally:
        store.close()


def check_tables(store: Store) -> None:
    """
    Check that this version works with the record's tables.

    Raises:
        ConfigError: It does not; the text says what to run.
    """
    if not store.fits():
        raise ConfigError(revision_problem(*store.revision()))
