"""The database's own clock, which all workers share: no two machines agree on theirs."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Double, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class db_now(FunctionElement[float]):  # noqa: N801 - in statements it reads as a function
    """Seconds since 1970 at the moment it is read, not at the transaction's beginning."""

    type = Double()
    inherit_cache = True
    name = "db_now"


@compiles(db_now, "postgresql")
def _postgresql(_element: db_now, _compiler: Any, **_: Any) -> str:
    return "CAST(extract(epoch FROM clock_timestamp()) AS double precision)"


@compiles(db_now, "sqlite")
def _sqlite(_element: db_now, _compiler: Any, **_: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


def read_clock(connection: Connection) -> float:
    """Read the clock: seconds since 1970."""
    return float(connection.execute(select(db_now())).scalar_one())
