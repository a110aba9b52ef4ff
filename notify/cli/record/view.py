"""Notifications as tables: lists, batches, one notification and its timeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from rich.cells import cell_len
from rich.console import JustifyMethod
from rich.text import Text

from notify.cli.console import Table
from notify.cli.output import plain_table, utc
from notify.message import Status
from notify.status.notification import timeline as steps_of
from notify.store import Story, Summary

_COLOURS = {
    Status.SCHEDULED: "cyan",
    Status.QUEUED: "cyan",
    Status.SENDING: "cyan",
    Status.SENT: "green",
    Status.DELIVERED: "green",
    Status.UNKNOWN: "magenta",
    Status.EXPIRED: "yellow",
    Status.SUPPRESSED: "yellow",
    Status.CANCELLED: "yellow",
}
_DUE = {
    Status.SCHEDULED: "it is sent then",
    Status.QUEUED: "the next attempt",
    Status.UNKNOWN: "the provider is asked whether it was sent",
}
_OPTIONAL = ("attempts", "due (UTC)")
"""Columns that are left out if no row has a value."""
_NARROWEST = 40
"""Columns that a terminal of any width leaves to the last cell of a row."""


def listing(summaries: Sequence[Summary]) -> Table:
    """Return a table with a row for each notification."""
    titles = "id", "received (UTC)", "channel", "lane", "source", "template", "status", "to"
    return _table(
        (*titles, *_OPTIONAL, "reason"),
        [
            (
                str(each.public_id),
                _time(each.received_at),
                each.channel,
                each.lane,
                each.source,
                each.template or "",
                coloured(each.status),
                each.recipient,
                *_optional(each),
                _why(each),
            )
            for each in summaries
        ],
    )


def totals(counts: Mapping[Status, int]) -> Table:
    """Return a table with a row for each status that occurs, in the order of a life cycle."""
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(justify="right")
    for status in Status:
        if status in counts:
            table.add_row(coloured(status), str(counts[status]))
    table.add_row("total", str(sum(counts.values())), style="bold")
    return table


def members(summaries: Sequence[Summary]) -> Table:
    """Return a table with a row for each recipient of a batch, in the batch's order."""
    rows = [
        (
            str(each.position),
            str(each.public_id),
            coloured(each.status),
            each.recipient,
            *_optional(each),
            _why(each),
        )
        for each in sorted(summaries, key=lambda each: each.position)
    ]
    return _table(("#", "id", "status", "to", *_OPTIONAL, "reason"), rows)


def _add_given(table: Table, **values: str | None) -> None:
    for name, value in values.items():
        if value is not None:
            table.add_row(name, value)


def facts(summary: Summary) -> Table:
    """Return a table of what was requested, and the notification's status."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("id", _id(summary))
    table.add_row("status", coloured(summary.status))
    table.add_row("to", Text(summary.recipient))
    table.add_row("channel", f"{summary.channel}, lane {summary.lane}, from {summary.source}")
    _add_given(table, template=summary.template, category=summary.category)
    if summary.batch_id is not None:
        table.add_row("batch", f"{summary.batch_id}, recipient {summary.position}")
    if summary.idempotency_key not in (str(summary.public_id), str(summary.batch_id)):
        table.add_row("key", Text(summary.idempotency_key))
    if summary.expires_at is not None:
        table.add_row("expires", f"{_time(summary.expires_at)} UTC")
    if summary.due_at is not None:
        what = _DUE.get(summary.status, "it is continued")
        table.add_row("due", f"{_time(summary.due_at)} UTC: {what}")
    if summary.attempts > 1 or summary.due_at is not None:
        counted = f"{summary.spent} of them against the lane's limit"
        table.add_row("attempts", f"{summary.attempts}, {counted}")
    if summary.possible_duplicate:
        table.add_row("note", "possible duplicate: sent again after an answer was lost")
    return table


def _id(summary: Summary) -> str:
    if summary.id == summary.public_id:
        return str(summary.id)
    return f"{summary.public_id}, in row {summary.id}: another source has the same id"


def timeline(story: Story) -> Table:
    """Return a table with a row for each step of a notification, and for each open attempt."""
    begin = story.summary.received_at
    rows = [
        (
            _time(step.at),
            f"{(step.at - begin).total_seconds():+.3f} s",
            Text(step.name) if step.status is None else coloured(step.status),
            step.details,
        )
        for step in steps_of(story)
    ]
    rows += [
        ("", "", Text(f"attempt {attempt.number} open"), _lease(story.summary))
        for attempt in story.attempts
        if attempt.outcome is None
    ]
    return _table(("time (UTC)", "after", "what", "how"), rows)


def coloured(status: Status) -> Text:
    """Return a status in its colour; failures are red."""
    return Text(status.value, _COLOURS.get(status, "red"))


def _lease(summary: Summary) -> str:
    until = summary.lease_until
    return f"lease until {_time(until)} UTC" if until is not None else "no lease"


def _optional(summary: Summary) -> tuple[str, str]:
    """Return the number of attempts if there are several, and the time it is due if it has one."""
    attempts = str(summary.attempts) if summary.attempts > 1 else ""
    return attempts, _time(summary.due_at) if summary.due_at is not None else ""


def _why(summary: Summary) -> str:
    note = "possible duplicate" if summary.possible_duplicate else None
    return "; ".join(part for part in (note, summary.reason) if part)


def _table(titles: Sequence[str], rows: Sequence[Sequence[str | Text]]) -> Table:
    """Return a table of which only the last column is wrapped on a narrow terminal."""
    table = plain_table()
    empty = {
        n for n, title in enumerate(titles) if title in _OPTIONAL and not any(r[n] for r in rows)
    }
    titles = [title for n, title in enumerate(titles) if n not in empty]
    rows = [[cell for n, cell in enumerate(row) if n not in empty] for row in rows]
    for number, title in enumerate(titles):
        longest = max(cell_len(str(row[number])) for row in (titles, *rows))
        justify: JustifyMethod = "right" if title in ("#", "after") else "left"
        last = title == titles[-1]
        width = min(longest, _NARROWEST) if last else longest
        table.add_column(title, min_width=width, no_wrap=not last, justify=justify)
    for row in rows:
        table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
    return table


def _time(when: datetime) -> str:
    return utc(when, timespec="milliseconds")
