"""A session of PostgreSQL that reads and writes the same, whatever its database or role sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg

from notify.errors import StoreUnfit

SETTINGS: Mapping[str, str] = {
    # Nothing may wait for ever; in milliseconds.
    "statement_timeout": "30000",
    "default_transaction_isolation": "read committed",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "standard_conforming_strings": "on",
    "bytea_output": "hex",
    "extra_float_digits": "1",
}
"""What a session sets as it begins; it goes before what the database or the role sets."""

NEEDED = (
    "default_transaction_isolation",
    "DateStyle",
    "IntervalStyle",
    "standard_conforming_strings",
)
"""What the record cannot do without, where a pooler keeps a session from setting it."""

# Words of PgBouncer and of RDS Proxy for a session that wants to set something as it begins.
_REFUSALS = ("unsupported startup parameter", "command-line options")
_LOOK = "SELECT pg_backend_pid(), current_setting('server_encoding'), {settings}".format(
    settings=", ".join(f"current_setting('{name}')" for name in NEEDED)
)


def connect(*arguments: Any, **parameters: Any) -> psycopg.Connection[Any]:
    """
    Open a session as `psycopg.connect` does, and look once whether the record can live there.

    Behind a pooler nothing outlasts a transaction: statements are not prepared, and what a session
    would set has to be set for its role.

    Raises:
        StoreUnfit: The database or the role is set up in a way that would harm the record.
    """
    ours = " ".join(f"-c {name}={_escaped(value)}" for name, value in SETTINGS.items())
    parameters |= {"client_encoding": "utf8"}
    # What the address sets goes before ours, which must win.
    own = parameters | {"options": f"{parameters.get('options', '')} {ours}"}
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
    # By itself psycopg would begin a transaction, and its end be one more round trip.
    connection.autocommit = True
    ((process, encoding, *found),) = connection.execute(_LOOK.encode(), prepare=False)
    connection.autocommit = False
    if encoding != "UTF8":
        raise StoreUnfit(
            f"the database's encoding is {encoding}, and the record needs UTF8: make another one by"
            " `createdb --encoding=UTF8 --template=template0` and name it in store.url"
        )
    # A pooler gives its clients process numbers of its own making.
    if process != connection.info.backend_pid:
        connection.prepare_threshold = None
    for name, value in zip(NEEDED, found, strict=True):
        if not _agrees(value, SETTINGS[name]):
            raise StoreUnfit(
                f"the pooler in front of the database lets no session set {name}, which is {value}"
                f" there: run `ALTER ROLE {connection.info.user} SET {name} = '{SETTINGS[name]}'`"
                " and reconnect the pooler"
            )


def _agrees(found: str, wanted: str) -> bool:
    """Whether a setting is as wanted; of DateStyle the order of day and month does not matter."""
    return found.partition(",")[0].casefold() == wanted.partition(",")[0].casefold()


def _escaped(value: str) -> str:
    return value.replace(" ", r"\ ")
