"""Errors of the database, translated into `StoreError` and its kinds."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError, StatementError

from notify.errors import StoreError, StoreRefused, StoreUnfit
from notify.store.db.away import needs_operator, reason


@contextmanager
def plain_errors() -> Iterator[None]:
    """Translate errors; a library's text is left out, since it may contain the values."""
    try:
        yield
    except _REFUSALS as error:
        raise StoreRefused(f"the record refuses a value: {_kind(error)}") from None
    except (SQLAlchemyError, sqlite3.Error) as error:
        if _unbindable(error):
            raise StoreRefused(f"the record refuses a value: {_kind(error)}") from None
        kind = StoreUnfit if needs_operator(error) else StoreError
        raise kind(f"the record cannot be used: {_kind(error)}{reason(error)}") from None


# SQLite's own errors come from the hot writes, which use its driver directly. A driver refuses text
# that is not Unicode, and numbers too large for any column, before they reach the database.
_REFUSALS = (
    DataError,
    IntegrityError,
    sqlite3.DataError,
    sqlite3.IntegrityError,
    UnicodeEncodeError,
    OverflowError,
)


def _unbindable(error: BaseException) -> bool:
    """Return whether SQLAlchemy could not convert a value, so that no statement was sent."""
    return isinstance(error, StatementError) and not isinstance(error, DBAPIError)


def _kind(error: BaseException) -> str:
    return type(getattr(error, "orig", None) or error).__name__
