"""Faults that hit the next transaction, or the one after, of any actor."""

from __future__ import annotations

import enum
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, event

from tests.unit.course.vendor import Killed


class Trouble(enum.Enum):
    """Faults of a transaction."""

    KILLED = "the process dies before it begins"
    AWAY = "the record is away, for a while"
    UNHEARD = "it is committed, and the answer is lost"


FOR_A_WHILE = 3
"""Transactions that fail while the record is away."""


class Troubles:
    """Listens to an engine, and injects a fault at the chosen transaction."""

    def __init__(self, engine: Engine) -> None:
        self._coming: Trouble | None = None
        self._after = 0
        # Before the product's own listener, which would begin the transaction.
        event.listen(engine, "begin", self._begins, insert=True)
        event.listen(engine, "commit", self._commits)

    @property
    def coming(self) -> bool:
        """Whether a fault is pending."""
        return self._coming is not None

    def come(self, trouble: Trouble, *, after: int) -> None:
        """Inject one fault, after this many transactions."""
        self._coming, self._after = trouble, after

    def pass_by(self) -> None:
        """Cancel the pending fault."""
        self._coming = None

    @contextmanager
    def spare(self) -> Iterator[None]:
        """Inject no fault into the test's own reads."""
        coming, self._coming = self._coming, None
        yield
        self._coming = coming

    def _begins(self, _: Connection) -> None:
        if self._coming is None or self._coming is Trouble.UNHEARD:
            return
        if self._after > 0:
            self._after -= 1
        elif self._coming is Trouble.KILLED:
            self._coming = None
            raise Killed
        else:
            self._after -= 1
            if self._after <= -FOR_A_WHILE:
                self._coming = None
            raise sqlite3.OperationalError

    def _commits(self, connection: Connection) -> None:
        if self._coming is not Trouble.UNHEARD:
            return
        if self._after > 0:
            self._after -= 1
            return
        self._coming = None
        driver: Any = connection.connection.dbapi_connection
        driver.execute("COMMIT")
        raise sqlite3.OperationalError
