"""Counts of delivered, bounced and complained-about messages, by the hour, source and provider."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, select

from notify.message import Channel
from notify.policies.reputation import Reports
from notify.store.db import upsert
from notify.store.tables import reputation

HOUR = 3600
ENDS = ("delivered", "bounced", "complained")
"""The ends of a message that count."""


class Sender(NamedTuple):
    """The messages of one source through one provider, which share a reputation."""

    source: str
    channel: Channel
    provider: str


class Reported(NamedTuple):
    """One end of a message that a vendor reported: `delivered`, `bounced` or `complained`."""

    sender: Sender
    end: str


def count_reports(connection: Connection, reported: Iterable[Reported], *, now: float) -> None:
    """
    Add to the counts of the current hour, in the transaction that applies the receipts.

    Args:
        now: Seconds since 1970 by the database's clock.
    """
    counts = Counter(reported)
    senders = sorted({each.sender for each in counts})
    if not senders:
        return
    hour = int(now) // HOUR * HOUR
    rows = [
        {
            **sender._asdict(),
            "hour": hour,
            **{end: counts[Reported(sender, end)] for end in ENDS},
        }
        for sender in senders
    ]
    statement = upsert.insert(reputation, connection)
    sums = {name: reputation.c[name] + statement.excluded[name] for name in ENDS}
    keys = ["hour", "source", "channel", "provider"]
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=sums), rows)


def read_reports(connection: Connection, *, since: float) -> dict[Sender, Reports]:
    """Return the counts of each sender since a time, in seconds since 1970, by whole hours."""
    columns = reputation.c
    query = (
        select(
            columns.source,
            columns.channel,
            columns.provider,
            func.sum(columns.delivered),
            func.sum(columns.bounced),
            func.sum(columns.complained),
        )
        .where(columns.hour >= since)
        .group_by(columns.source, columns.channel, columns.provider)
    )
    return {
        Sender(row[0], Channel(row[1]), row[2]): Reports(int(row[3]), int(row[4]), int(row[5]))
        for row in connection.execute(query)
    }


def lock_reports(connection: Connection, sender: Sender) -> None:
    """Lock a sender's counts until the transaction ends, so that one worker at a time holds it."""
    columns = reputation.c
    connection.execute(
        select(columns.hour)
        .where(
            columns.source == sender.source,
            columns.channel == sender.channel,
            columns.provider == sender.provider,
        )
        .order_by(columns.hour)
        .with_for_update()
    ).all()


def delete_reports(connection: Connection, *, before: float) -> int:
    """Delete the counts of hours before a time, in seconds since 1970; return how many."""
    return connection.execute(delete(reputation).where(reputation.c.hour < before)).rowcount
