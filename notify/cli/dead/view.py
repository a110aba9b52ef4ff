"""Dead letters as people read them: lists, counts, one letter, and what a replay would do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from rich.text import Text

from notify.cli.console import Table
from notify.deadletters import Eligibility, ReplayPlan
from notify.store.deadletters import Cause, DeadLetter
from notify.telemetry.terminal import on_one_line

_COLOURS = {
    Eligibility.NEVER_SENT: "green",
    Eligibility.UNKNOWN: "magenta",
    Eligibility.FAILS: "red",
    Eligibility.UNFIT: "red",
}
_SAYS = {
    Eligibility.ACCEPTED: "refused: the provider has it",
    Eligibility.EXPIRED: "skipped: its time is over",
    Eligibility.IN_FLIGHT: "skipped: it is on its way already",
    Eligibility.REFUSED: "skipped: the provider will never take it",
    Eligibility.WITHDRAWN: "skipped: it was cancelled or suppressed",
    Eligibility.FAILS: "left: mend its template, or its data with notify dead replay --edit ID",
    Eligibility.UNFIT: "left: mend it with notify dead replay --edit ID",
}
_SHOWN = 5


def listing(letters: Sequence[DeadLetter]) -> Table:
    """Make a line of each letter."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    titles = "archived (UTC)", "cause", "code", "routing key", "template", "state"
    table.add_column("id", no_wrap=True, justify="right")
    for title in titles:
        table.add_column(title, no_wrap=True)
    table.add_column("reason", min_width=20)
    for each in letters:
        cells = (each.cause, each.code, each.routing_key, each.template, each.state)
        table.add_row(
            str(each.id),
            _time(each.archived_at),
            *(Text(cell or "") for cell in cells),
            Text(each.reason or ""),
        )
    return table


def totals(counts: Mapping[Cause, int]) -> Table:
    """Make a line of each cause that occurs, the most frequent first."""
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(justify="right")
    for cause, number in sorted(counts.items(), key=lambda each: (-each[1], each[0])):
        table.add_row(cause, f"{number:,}")
    table.add_row("total", f"{sum(counts.values()):,}", style="bold")
    return table


def facts(letter: DeadLetter) -> Table:
    """Tell all that is known of one letter but its content."""
    died = letter.died_at and f"{_time(letter.died_at)} UTC"
    rows = {
        "dead letter": str(letter.id),
        "state": f"{letter.state} since {_time(letter.state_at)} UTC",
        "cause": letter.cause,
        "reason": letter.reason,
        "code": letter.code,
        "routing key": letter.routing_key,
        "published to": letter.exchange,
        "died": died and f"{died} in {letter.queue or 'an unknown queue'}",
        "deliveries": letter.delivery_count and f"{letter.delivery_count}, the lane's limit",
        "archived": f"{_time(letter.archived_at)} UTC",
        "message id": letter.message_id,
        "notification": letter.notification_id and str(letter.notification_id),
        "template": letter.template,
        "replay": letter.replay_id and str(letter.replay_id),
    }
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        if value:
            table.add_row(name, Text(str(value)))
    return table


def forecast(plan: ReplayPlan, *, include_unknown: bool) -> Table:
    """Tell how the notifications stand that letters ask for, and what a replay does to each."""
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(justify="right")
    table.add_column()
    for prospect in Eligibility:
        if number := plan.prospects[prospect]:
            says = _action(prospect, include_unknown=include_unknown)
            table.add_row(Text(prospect, _COLOURS.get(prospect, "")), f"{number:,}", says)
    return table


def unfit(plan: ReplayPlan) -> list[str]:
    """Tell why letters cannot be sent as they are written; of many, the first few."""
    lines = [
        f"  dead letter {id_}: {on_one_line(why)}" for id_, why in list(plan.unfit.items())[:_SHOWN]
    ]
    more = len(plan.unfit) - _SHOWN
    return [*lines, f"  and {more:,} more"] if more > 0 else lines


def time_needed(plan: ReplayPlan, rate: float, *, now: datetime) -> str:
    """Tell how long a replay takes."""
    seconds = plan.seconds(rate, now=now)
    number = sum(plan.replayed.values())
    end = now + timedelta(seconds=seconds)
    waits = " after earlier replays" if any(plan.begins.get(each) for each in plan.replayed) else ""
    return (
        f"At {rate:g} a second for each channel{waits}, {number:,} take {_span(seconds)},"
        f" until {_time(end)} UTC."
    )


def _action(prospect: Eligibility, *, include_unknown: bool) -> str:
    if prospect is Eligibility.NEVER_SENT:
        return "replayed"
    if prospect is Eligibility.UNKNOWN:
        if include_unknown:
            return "replayed, as possible duplicates"
        return "left: they may have been sent; --include-unknown replays them"
    return _SAYS[prospect]


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _time(when: datetime) -> str:
    return when.astimezone(UTC).isoformat(sep=" ", timespec="seconds")[:-6]
