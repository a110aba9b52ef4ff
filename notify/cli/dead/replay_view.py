"""The plan of a replay as tables and sentences."""

from __future__ import annotations

from datetime import datetime, timedelta

from rich.text import Text

from notify.cli.console import Table
from notify.cli.output import span, utc
from notify.deadletters import Eligibility, ReplayPlan
from notify.telemetry.terminal import on_one_line

_COLOURS = {
    Eligibility.NEVER_SENT: "green",
    Eligibility.REPORT: "green",
    Eligibility.UNKNOWN: "magenta",
    Eligibility.FAILS: "red",
    Eligibility.UNFIT: "red",
}
_ACTIONS = {
    Eligibility.ACCEPTED: "refused: the provider has it",
    Eligibility.EXPIRED: "skipped: its time is over",
    Eligibility.IN_FLIGHT: "skipped: it is on its way already",
    Eligibility.REFUSED: "skipped: the provider will never accept it",
    Eligibility.WITHDRAWN: "skipped: it was cancelled or suppressed",
    Eligibility.FAILS: "skipped: fix its template, or its data with notify dead replay --edit ID",
    Eligibility.REPORT: "published again to its queue",
    Eligibility.UNFIT: "skipped: fix it with notify dead replay --edit ID",
}
_SHOWN = 5
"""Letters of which a plan prints at most why they cannot be sent."""


def forecast(plan: ReplayPlan, *, include_unknown: bool) -> Table:
    """Return a table of the notifications that letters request, and what a replay does to each."""
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(justify="right")
    table.add_column()
    for eligibility in Eligibility:
        if number := plan.eligibilities[eligibility]:
            action = _action(eligibility, include_unknown=include_unknown)
            style = _COLOURS.get(eligibility, "")
            table.add_row(Text(eligibility, style), f"{number:,}", action)
    return table


def unfit(plan: ReplayPlan) -> list[str]:
    """Return why letters cannot be sent as they are written; of many, the first few."""
    lines = [
        f"  dead letter {id_}: {on_one_line(why)}" for id_, why in list(plan.unfit.items())[:_SHOWN]
    ]
    more = len(plan.unfit) - _SHOWN
    return [*lines, f"  and {more:,} more"] if more > 0 else lines


def time_needed(plan: ReplayPlan, rate: float, *, now: datetime) -> str:
    """Return a sentence on how long a replay takes."""
    seconds = plan.seconds(rate, now=now)
    number = sum(plan.replayed.values())
    end = now + timedelta(seconds=seconds)
    waits = " after earlier replays" if any(plan.begins.get(each) for each in plan.replayed) else ""
    return (
        f"At {rate:g} a second for each channel{waits}, {number:,} take {span(seconds)},"
        f" until {utc(end)} UTC."
    )


def _action(eligibility: Eligibility, *, include_unknown: bool) -> str:
    if eligibility is Eligibility.NEVER_SENT:
        return "replayed"
    if eligibility is Eligibility.UNKNOWN:
        if include_unknown:
            return "replayed, as possible duplicates"
        return "skipped: they may have been sent; --include-unknown replays them"
    return _ACTIONS[eligibility]
