"""The configured record, opened for one command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from notify.errors import NotifyError, StoreError
from notify.service import open_store
from notify.settings import Settings
from notify.store import Store


@contextmanager
def record(settings: Settings) -> Iterator[Store]:
    """
    Open the record, with the tables of this version; give it back at the end.

    Raises:
        NotifyError: It cannot be used, or its tables are of another version; says what to do.
    """
    store = open_store(settings)
    try:
        current, needed = store.revision()
        if current != needed:
            raise NotifyError(
                f"the record's tables are at revision {current}, this version needs revision"
                f" {needed}: run `notify migrate`"
            )
        yield store
    except StoreError as error:
        raise NotifyError(f"{error}; check that the database of store.url is up") from None
    finally:
        store.close()
