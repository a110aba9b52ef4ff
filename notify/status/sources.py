"""The producing services: what they sent recently, and how their recipients' vendors reported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from notify.policies.holds import Hold
from notify.policies.reputation import Reports
from notify.store import Store
from notify.store.db import read_clock
from notify.store.flow import holds
from notify.store.receipts import Sender, read_reports
from notify.store.status import SourceActivity, count_sources, known_sources

DAY = 86_400
_MOST = 200


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """One producing service."""

    name: str
    activity: SourceActivity | None
    """Its part of the newest notifications on record; None if it has none of them."""
    reports: Sequence[tuple[Sender, Reports]]
    """The ends that vendors reported in the last day, by channel and provider."""
    holds: Sequence[Hold]
    """The holds on it."""


def read_sources(store: Store) -> list[SourceStatus]:
    """
    Read the sources with a notification on record, in the order of their names; at most 200.

    Raises:
        StoreError: The record cannot be read.
    """
    with store.reading() as connection:
        names = known_sources(connection, limit=_MOST)
        counts = count_sources(connection)
        reports = read_reports(connection, since=read_clock(connection) - DAY)
        current, _ = holds.current(connection)
    return [
        SourceStatus(
            name,
            counts.get(name),
            sorted(each for each in reports.items() if each[0].source == name),
            [hold for hold in current if hold.source == name],
        )
        for name in names
    ]
