"""Dead letters of reports that are to be published again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, update

from notify.errors import Sealed
from notify.store.deadletters.archive import PARTS, open_parts
from notify.store.relays.leasing import lease_rows
from notify.store.sealing.row_cipher import RowCipher, cipher_of
from notify.store.tables import dead_letters


@dataclass(frozen=True, slots=True)
class ReplayedReport:
    """
    One letter to publish.

    Attributes:
        letter: Its id.
        sealed: The key that is missing to open it; None if it is open.
    """

    letter: int
    exchange: str
    routing_key: str
    body: bytes = field(repr=False)
    sealed: str | None = None


def publish_again(connection: Connection, letters: Mapping[int, str]) -> None:
    """
    Have letters published again.

    Args:
        letters: The exchange of each, by its id.
    """
    for id_, exchange in letters.items():
        change = update(dead_letters).where(dead_letters.c.id == id_)
        connection.execute(change.values(publish_to=exchange))


def lease_reports(
    connection: Connection, *, now: datetime, lease: timedelta, limit: int
) -> list[ReplayedReport]:
    """Lease the oldest letters that are to be published again, and return them in order."""
    columns = dead_letters.c
    leased = lease_rows(
        dead_letters,
        columns.publish_to.is_not(None),
        until=columns.publish_until,
        first=columns.id,
        now=now,
        lease=lease,
        limit=limit,
    ).returning(*PARTS, columns.publish_to, columns.routing_key)
    cipher = cipher_of(connection)
    found = [_report(row, cipher) for row in connection.execute(leased)]
    return sorted(found, key=lambda each: each.letter)


def _report(row: Row[Any], cipher: RowCipher) -> ReplayedReport:
    try:
        body = open_parts(cipher, row)["body"]
    except Sealed as error:
        return ReplayedReport(row.id, row.publish_to, row.routing_key, b"", error.key)
    return ReplayedReport(row.id, row.publish_to, row.routing_key, body)


def mark_reports_published(connection: Connection, reports: Iterable[ReplayedReport]) -> None:
    """Write that letters are published: the broker confirmed them."""
    _write(connection, reports, publish_to=None, publish_until=None)


def release_reports(connection: Connection, reports: Iterable[ReplayedReport]) -> None:
    """End the leases of letters that the broker did not confirm."""
    _write(connection, reports, publish_until=None)


def _write(connection: Connection, reports: Iterable[ReplayedReport], **values: Any) -> None:
    ids = [each.letter for each in reports]
    if ids:
        columns = dead_letters.c
        connection.execute(update(dead_letters).where(columns.id.in_(ids)).values(values))
