"""Entries of the suppression list as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from notify.cli.console import Table
from notify.cli.output import plain_table, utc
from notify.suppression import ListedSuppression


def listing(entries: Sequence[ListedSuppression], *, now: datetime) -> Table:
    """Return the table of entries."""
    table = plain_table()
    for name in ("id", "channel", "scope", "reason", "since", "until", "evidence"):
        table.add_column(name)
    for each in entries:
        since = utc(each.since, timespec="minutes")
        table.add_row(
            *(str(each.id), each.channel, each.scope, each.reason, since),
            *(state(each, now=now), each.evidence),
        )
    return table


def state(entry: ListedSuppression, *, now: datetime) -> str:
    """Return when an entry ends, or that it has."""
    if entry.lifted_at is not None:
        return f"lifted {utc(entry.lifted_at, timespec='minutes')}"
    if entry.until is None:
        return "no end"
    at = utc(entry.until, timespec="minutes")
    return at if entry.until > now else f"ended {at}"


def details(entry: ListedSuppression, *, now: datetime) -> Iterator[str]:
    """Yield the lines of one entry."""
    exempt = "every category" if entry.binding else "every category that is not critical"
    yield f"suppression {entry.id}: {entry.reason}, {state(entry, now=now)}"
    yield f"  channel   {entry.channel}"
    yield f"  scope     {entry.scope}"
    yield f"  stops     {exempt}"
    yield f"  since     {utc(entry.since)} UTC"
    yield f"  evidence  {entry.evidence or '-'}"
    if entry.provider:
        yield f"  provider  {entry.provider}"
    yield f"  hash      {entry.recipient_hash.hex()}"
    if entry.vendor_lift:
        yield "  the vendor's own list still has it: `notify suppress sync` corrects that"
