"""One process's turn to write to SQLite, which has one writer at a time."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType

from sqlalchemy import Engine

from notify.errors import StoreError
from notify.store.db.engine import LONGEST_WAIT


class WriteLock:
    """
    A context manager for one write. Thread-safe.

    If another process blocks the file, the thread with the lock fails after `LONGEST_WAIT` seconds.
    The others must fail then too, and not each wait for its own time after it: the worker would
    notice minutes later that the record is away.
    """

    def __init__(self, *, timeout: float = LONGEST_WAIT) -> None:
        """Create a lock; *timeout* is in seconds."""
        self._lock = threading.Lock()
        self._timeout = timeout

    def __enter__(self) -> None:
        """
        Acquire the lock.

        Raises:
            StoreError: Other threads have it for too long.
        """
        if not self._lock.acquire(timeout=self._timeout):
            raise StoreError("the record cannot be used: other writes block this one")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Release the lock."""
        self._lock.release()


def write_lock(engine: Engine) -> AbstractContextManager[object]:
    """
    Return the lock of writing transactions on a database.

    SQLite has one writer at a time, and the others poll: within a process a lock is faster.
    """
    return WriteLock() if engine.dialect.name == "sqlite" else nullcontext()
