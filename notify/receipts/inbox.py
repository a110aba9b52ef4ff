"""The inbox of the intake in the record."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from notify.contract import ReceiptMessage
from notify.errors import NotifyError, StoreError
from notify.store import Store
from notify.store.relays import InboxEntry, add_to_inbox


class RecordInbox:
    """Stores messages in the record. Thread-safe."""

    def __init__(self, store: Store, *, check: Callable[[], None]) -> None:
        """
        Wire an inbox.

        Args:
            store: The record; it may be away at the start.
            check: Checks once, before the first write, that the record's tables and keys fit.
        """
        self._store = store
        self._check = check
        self._checked = False

    def put(self, messages: Sequence[ReceiptMessage]) -> None:
        """Store messages in one transaction; raises `StoreError` if nothing is stored."""
        self.check()
        entries = [
            InboxEntry(each.routing_key, each.model_dump_json().encode()) for each in messages
        ]
        with self._store.writing() as connection:
            add_to_inbox(connection, entries, received_at=messages[0].received_at)

    def check(self) -> None:
        """
        Check the record, unless it was checked before.

        Raises:
            StoreError: It cannot be used; the text says why.
        """
        if self._checked:
            return
        try:
            self._check()
        except StoreError:
            raise
        except NotifyError as error:
            raise StoreError(str(error)) from None
        self._checked = True
