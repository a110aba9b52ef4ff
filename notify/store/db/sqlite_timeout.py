"""A limit on the time of statements on SQLite, which has none of its own."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, event

_STEPS = 10_000
"""Instructions of SQLite's virtual machine between two checks: less than a millisecond."""
_DEADLINE = "notify_deadline"


def interrupt_long_statements(
    engine: Engine, *, seconds: float, monotonic: Callable[[], float] = time.monotonic
) -> None:
    """Make statements fail after so many seconds. The wait for another writer does not count."""

    def prepare(connection: sqlite3.Connection, record: Any) -> None:
        def late() -> bool:
            return bool(monotonic() > record.info.get(_DEADLINE, float("inf")))

        connection.set_progress_handler(late, _STEPS)

    def begin(connection: Any, *_: Any) -> None:
        connection.connection.info[_DEADLINE] = monotonic() + seconds

    event.listen(engine, "connect", prepare)
    event.listen(engine, "before_cursor_execute", begin)
