"""The configured record, opened for one command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from notify.errors import NotifyError, Sealed, StoreError, StoreUnfit
from notify.service import open_store
from notify.settings import Settings
from notify.store import Store
from notify.store.db import unfit


@contextmanager
def record(settings: Settings, *, needs_tables: bool = True) -> Iterator[Store]:
    """
    Open the record, and give it back at the end.

    Args:
        needs_tables: Whether its tables must be those of this version.

    Raises:
        NotifyError: It cannot be used, its tables are of another version, or it is sealed with
            keys that are not there; says what to do.
    """
    store = open_store(settings)
    try:
        if needs_tables:
            if not store.fits():
                raise NotifyError(unfit(*store.revision()))
            store.check_keys(now=store.clock())
        yield store
    except (Sealed, StoreUnfit):
        raise
    except StoreError as error:
        raise NotifyError(f"{error}; check that the database of store.url is up") from None
    finally:
        store.close()
