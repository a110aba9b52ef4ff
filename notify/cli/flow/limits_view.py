"""Rate limits as a table, and one of them as a sentence."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from rich.text import Text

from notify.cli.console import Table
from notify.cli.output import plain_table, until
from notify.policies.ratelimit import RECOVERY
from notify.status.limits import LimitStatus

_NOTICED = 0.05
"""Units a second from which a use is shown."""


def listing(limits: Sequence[LimitStatus]) -> Table:
    """Return a table with a row for each limit."""
    table = plain_table()
    table.add_column("limit", no_wrap=True)
    for title in ("configured", "burst", "in force", "used"):
        table.add_column(title, no_wrap=True, justify="right")
    table.add_column("why", min_width=20)
    for each in limits:
        table.add_row(
            each.limit.name,
            _number(each.limit.rate),
            _number(2 * each.limit.half) if each.limit.rate else "",
            _in_force(each),
            _number(each.seen.use) if each.seen.use >= _NOTICED else "",
            Text("; ".join(_why(each))),
        )
    return table


def sentence(status: LimitStatus) -> str:
    """Return the rate in force, and why."""
    rate = "has no limit" if status.rate is None else f"is at {_number(status.rate)} a second"
    why = "; ".join(_why(status))
    return f"{status.limit.name} {rate}" + (f" ({why})" if why else "")


def _in_force(status: LimitStatus) -> Text:
    if status.pause:
        return Text("paused", style="red")
    if status.rate is None:
        return Text("no limit")
    return Text(_number(status.rate), style="yellow" if status.differs else "")


def _why(status: LimitStatus) -> Iterator[str]:
    state = status.seen.state
    if status.pause:
        yield f"paused by its provider for {math.ceil(status.pause)} s"
    if status.lowered and status.rate is not None:
        goal = status.ceiling if status.ceiling is not None else state.lowered_from or 0.0
        rise = max(goal - status.rate, 0.0) / (RECOVERY * (state.lowered_from or goal))
        back = math.ceil(status.pause + rise)
        yield f"lowered by complaints; at {_number(goal)} again in {back} s"
    if status.set:
        ends = until(state.set_until, otherwise="it is reset")
        yield f"set by {status.seen.actor} {ends}: {status.seen.reason}"
    if status.per is not None:
        yield f"for each {status.per}"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
