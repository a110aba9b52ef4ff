"""Transactions that only read; several reads of one thread may share one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine

from notify.store.db.engine import READS_ONLY
from notify.store.db.refusals import plain_errors


class Reads:
    """Begins the transactions that only read. Thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.execution_options(**{READS_ONLY: True})
        # On SQLite a transaction would not see what was written since its first read.
        self._shares = engine.dialect.name == "postgresql"
        self._shared = threading.local()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Run this thread's reads in one transaction; on SQLite each is still one by itself."""
        if not self._shares:
            yield
            return
        with plain_errors(), self._engine.begin() as connection:
            self._shared.connection = connection
            try:
                yield
            finally:
                self._shared.connection = None

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Run one transaction, or join the one that this thread's reads share."""
        shared: Connection | None = getattr(self._shared, "connection", None)
        with plain_errors():
            if shared is not None:
                yield shared
                return
            with self._engine.begin() as connection:
                yield connection
