"""PostgreSQL sessions with fixed settings, whatever the database or the role sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg

from notify.errors import StoreUnfit
from notify.store.db.packed import Packed, PackedDumper

SETTINGS: Mapping[str, str] = {
    # In milliseconds; no statement may run without end.
    "statement_timeout": "30000",
    # To compile a statement would take longer than to run it.
    "jit": "off",
    "default_transaction_isolation": "read committed",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "standard_conforming_strings": "on",
    "bytea_output": "hex",
    "extra_float_digits": "1",
}
"""Set when a session begins; they override the settings of the database and the role."""

NEEDED = (
    "default_transaction_isolation",
    "DateStyle",
    "IntervalStyle",
    "standard_conforming_strings",
)
"""Settings that must be right even if a pooler keeps sessions from setting them."""

# Errors of PgBouncer and RDS Proxy for a session that sets something when it begins.
_REFUSALS = ("unsupported startup parameter", "command-line options")
_QUERY = "SELECT pg_backend_pid(), current_setting('server_encoding'), {settings}".format(
    settings=", ".join(f"current_setting('{name}')" for name in NEEDED)
)


def connect(
    *arguments: Any,
    statement_timeout: float | None = None,
    by_index: bool = False,
    **parameters: Any,
) -> psycopg.Connection[Any]:
    """
    Open a session as `psycopg.connect` does, and check once that its settings suit the record.

    A statement fails after *statement_timeout* seconds; after 30, if it is None. With *by_index*
    tables are scanned only where no index can be used.

    Behind a pooler no state survives a transaction: statements are not prepared, and settings must
    be made for the role.

    Raises:
        StoreUnfit: A setting of the database or the role would harm the record.
    """
    wanted = dict(SETTINGS)
    if statement_timeout is not None:
        wanted["statement_timeout"] = f"{statement_timeout * 1000:.0f}"
    if by_index:
        wanted["enable_seqscan"] = "off"
    settings = " ".join(f"-c {name}={_escaped(value)}" for name, value in wanted.items())
    parameters |= {"client_encoding": "utf8"}
    # The options of the URL come first, so that these override them.
    own = parameters | {"options": f"{parameters.get('options', '')} {settings}"}
    try:
        connection = psycopg.connect(*arguments, **own)
    except psycopg.OperationalError as error:
        if not any(words in str(error) for words in _REFUSALS):
            raise
        connection = psycopg.connect(*arguments, **parameters)
    try:
        _prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: psycopg.Connection[Any]) -> None:
    connection.adapters.register_dumper(Packed, PackedDumper)
    # Else psycopg would begin a transaction, whose end is one more round trip.
    connection.autocommit = True
    ((process, encoding, *found),) = connection.execute(_QUERY.encode(), prepare=False)
    connection.autocommit = False
    if encoding != "UTF8":
        raise StoreUnfit(
            f"the database's encoding is {encoding}, and the record needs UTF8: create one with"
            " `createdb --encoding=UTF8 --template=template0` and name it in store.url"
        )
    # A pooler reports process numbers of its own.
    if process != connection.info.backend_pid:
        connection.prepare_threshold = None
    for name, value in zip(NEEDED, found, strict=True):
        if not _agrees(value, SETTINGS[name]):
            raise StoreUnfit(
                f"the pooler does not let a session set {name}, which is {value}:"
                f" run `ALTER ROLE {connection.info.user} SET {name} = '{SETTINGS[name]}'`"
                " and reconnect the pooler"
            )


def _agrees(found: str, wanted: str) -> bool:
    """Return whether a setting has its value; the order of day and month does not matter."""
    return found.partition(",")[0].casefold() == wanted.partition(",")[0].casefold()


def _escaped(value: str) -> str:
    return value.replace(" ", r"\ ")
