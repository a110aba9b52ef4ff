"""The database's clock, which all workers share, since the clocks of machines differ."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Double, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from notify.store.tables import UtcDateTime


class db_now(FunctionElement[float]):  # noqa: N801 - in statements it reads as a function
    """Seconds since 1970 when it is read, not when the transaction began."""

    type = Double()
    inherit_cache = True
    name = "db_now"


@compiles(db_now, "postgresql")
def _postgresql(_element: db_now, _compiler: Any, **_: Any) -> str:
    return "CAST(extract(epoch FROM clock_timestamp()) AS double precision)"


@compiles(db_now, "sqlite")
def _sqlite(_element: db_now, _compiler: Any, **_: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


class db_ago(FunctionElement[datetime]):  # noqa: N801 - as above
    """The time some seconds ago, as the tables store times."""

    type = UtcDateTime()
    inherit_cache = True
    name = "db_ago"


@compiles(db_ago, "postgresql")
def _ago_postgresql(element: db_ago, compiler: Any, **how: Any) -> str:
    seconds = compiler.process(element.clauses, **how)
    return f"(clock_timestamp() - make_interval(secs => {seconds}))"


@compiles(db_ago, "sqlite")
def _ago_sqlite(element: db_ago, compiler: Any, **how: Any) -> str:
    seconds = compiler.process(element.clauses, **how)
    return f"strftime('%Y-%m-%d %H:%M:%f000', 'now', -{seconds} || ' seconds')"


Moment = datetime | timedelta
"""A time, or how long ago it is by the database's clock."""


def moment(when: Moment) -> datetime | db_ago:
    """Return the expression for a moment in a statement."""
    return when if isinstance(when, datetime) else db_ago(when.total_seconds())


def read_clock(connection: Connection) -> float:
    """Return the database's time, in seconds since 1970."""
    return float(connection.execute(select(db_now())).scalar_one())
