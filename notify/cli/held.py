"""Holds as people and programs read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

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
    yield f"hold {hold.id} stands: {hold}, {_ends(hold)}"
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


def listing(standing: Sequence[Hold], rows: Mapping[int, int]) -> Iterator[str]:
    """
    Tell of each hold, in two lines.

    Args:
        rows: How many notifications each has set aside in the record.
    """
    width = max((len(str(each.id)) for each in standing), default=0)
    for each in standing:
        kept = f"; {rows[each.id]:,} set aside in the record" if each.id in rows else ""
        yield f"{each.id:{width}}  {each}, {_ends(each)}{kept}"
        yield f"{'':{width}}  since {_time(each.since)} UTC by {each.actor}: {each.reason}"


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


def _ends(hold: Hold) -> str:
    return f"until {_time(hold.until)} UTC" if hold.until else "until it is released"


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _time(seconds: float) -> str:
    return f"{_moment(seconds):%Y-%m-%d %H:%M}"
