"""Holds as people and programs read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from notify.cli.stopped import Others, Stopped
from notify.policies.holds import Hold
from notify.store.flow import SCOPE_PARTS


def lines(hold: Hold, stopped: Stopped, left: Others) -> Iterator[str]:
    """
    Tell what a new hold does.

    Args:
        left: Of a provider's hold, through whom its channels go on.
    """
    yield f"hold {hold.id} stands: {hold}, {_ends(hold)}"
    yield "in effect on all workers within 2 seconds"
    for channel, names in left.items():
        if names:
            yield f"{channel} goes on through {', '.join(names)}"
        else:
            yield f"{channel} has no other provider: it waits"
    if left and all(left.values()):
        return
    yield from _in_broker(hold, stopped)
    total = sum(stopped.rows.values())
    each = ", ".join(f"{number:,} {status}" for status, number in sorted(stopped.rows.items()))
    yield f"waiting on record: {total:,}" + (f" ({each})" if each else "")


def _in_broker(hold: Hold, stopped: Stopped) -> Iterator[str]:
    if stopped.queues is None:
        yield "waiting in RabbitMQ: not counted, since it cannot be reached"
        return
    filled = {name: number for name, number in stopped.queues.items() if number}
    total = sum(filled.values())
    each = ", ".join(f"{number:,} in {name}" for name, number in filled.items())
    told = f"{total:,}" + (f" ({each})" if each else "")
    if stopped.whole or not total:
        yield f"waiting in RabbitMQ: {told}"
        return
    parts = ("source", "template")
    which = ", ".join(f"{name} {value}" for name, value in hold.given.items() if name in parts)
    yield f"waiting in RabbitMQ: at most {told}"
    yield f"  a queue does not tell which are of {which}: workers set them aside as they come"


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
    parts = {name: getattr(hold, name) for name in SCOPE_PARTS}
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
