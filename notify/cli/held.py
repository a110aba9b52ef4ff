"""Holds as people and programs read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from notify.cli.stopped import Stopped
from notify.hold import Hold
from notify.message import Channel
from notify.store.holds import PARTS


def lines(hold: Hold, stopped: Stopped, others: Mapping[Channel, Sequence[str]]) -> Iterator[str]:
    """
    Tell what a new hold does.

    Args:
        others: For each channel of a held provider, its other providers.
    """
    ends = f"until {_time(hold.until)} UTC" if hold.until else "until it is released"
    yield f"hold {hold.id} stands: {hold}, {ends}"
    yield "in effect on all workers within 2 seconds"
    for channel, names in others.items():
        if names:
            yield f"{channel} goes on through {', '.join(names)}"
        else:
            yield f"{channel} has no other provider: it waits"
    if others and all(others.values()):
        return
    yield f"waiting in RabbitMQ: {_in_broker(hold, stopped)}"
    total = sum(stopped.rows.values())
    each = ", ".join(f"{number:,} {status}" for status, number in sorted(stopped.rows.items()))
    yield f"waiting on record: {total:,}" + (f" ({each})" if each else "")


def _in_broker(hold: Hold, stopped: Stopped) -> str:
    if stopped.queues is None:
        return "not counted, since it cannot be reached"
    filled = {name: number for name, number in stopped.queues.items() if number}
    total = sum(filled.values())
    each = ", ".join(f"{number:,} in {name}" for name, number in filled.items())
    told = f"{total:,}" + (f" ({each})" if each else "")
    if stopped.whole or not total:
        return told
    which = " and ".join(
        f"{name} {value}" for name, value in hold.given.items() if name in ("source", "template")
    )
    return f"up to {told}; which of them are of {which} shows as workers take them up"


def table(standing: Sequence[Hold], rows: Mapping[int, int]) -> Table:
    """
    Make a line of each hold.

    Args:
        rows: How many notifications each has set aside in the record.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("id", no_wrap=True, justify="right")
    table.add_column("holds")
    for title in ("since (UTC)", "until (UTC)"):
        table.add_column(title, no_wrap=True)
    table.add_column("on record", no_wrap=True, justify="right")
    table.add_column("by")
    table.add_column("reason", min_width=20)
    for each in standing:
        until = _time(each.until) if each.until else "released"
        cells = Text(str(each)), _time(each.since), until, f"{rows.get(each.id, 0):,}"
        table.add_row(str(each.id), *cells, Text(each.actor), Text(each.reason))
    return table


def dumped(hold: Hold) -> dict[str, Any]:
    """Make of a hold what JSON can hold."""
    until = None if hold.until is None else _moment(hold.until).isoformat()
    parts = {name: getattr(hold, name) for name in PARTS}
    said = {"actor": hold.actor, "reason": hold.reason}
    return {
        "id": hold.id,
        **parts,
        "since": _moment(hold.since).isoformat(),
        "until": until,
        **said,
    }


def counts(stopped: Stopped) -> dict[str, Any]:
    """Make of what a hold stops what JSON can hold."""
    return {"queues": stopped.queues, "whole_queues": stopped.whole, "record": dict(stopped.rows)}


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _time(seconds: float) -> str:
    return f"{_moment(seconds):%Y-%m-%d %H:%M:%S}"
