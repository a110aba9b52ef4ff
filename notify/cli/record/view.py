"""The record as people read it: lists, one notification's timeline, recipients masked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from rich.cells import cell_len
from rich.console import JustifyMethod
from rich.measure import Measurement
from rich.text import Text

from notify.cli.console import Console, Table
from notify.message import Outcome, Status
from notify.store import Attempt, Story, Summary

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
    Status.SCHEDULED: "it is to be sent then",
    Status.QUEUED: "the next attempt",
    Status.UNKNOWN: "the provider is asked whether it was sent",
}
_SELDOM = ("attempts", "due (UTC)")
_WIDEST = 10_000
_SHORT = 12
_NARROWEST = 40


def masked(summary: Summary) -> Summary:
    """Hide all of the recipient but what helps to tell one from another."""
    return replace(summary, recipient=mask(summary.recipient))


def mask(recipient: str) -> str:
    """Show `ann@example.com` as `a•••@example.com`, and of numbers and tokens both ends."""
    local, at, domain = recipient.rpartition("@")
    if at:
        return f"{local[:1]}•••@{domain}"
    if recipient.startswith("+"):
        return f"{recipient[:3]}•••••{recipient[-2:]}"
    return f"{recipient[:4]}•••{recipient[-2:]}" if len(recipient) > _SHORT else "•••"


def print_whole(console: Console, table: Table) -> None:
    """Print a table whose ids and words are never cut, however narrow the terminal is."""
    size = Measurement.get(console, console.options.update(max_width=_WIDEST), table)
    wanted = size.minimum if console.is_terminal else size.maximum
    console.width = max(console.width, wanted)
    console.print(table)


def listing(summaries: Sequence[Summary]) -> Table:
    """Make a line of each notification."""
    titles = "id", "received (UTC)", "channel", "lane", "source", "template", "status", "to"
    return _lines(
        (*titles, *_SELDOM, "reason"),
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
                *_seldom(each),
                _why(each),
            )
            for each in summaries
        ],
    )


def totals(counts: Mapping[Status, int]) -> Table:
    """Make a line of each status that occurs, in the order of a notification's life."""
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(justify="right")
    for status in Status:
        if status in counts:
            table.add_row(coloured(status), str(counts[status]))
    table.add_row("total", str(sum(counts.values())), style="bold")
    return table


def members(summaries: Sequence[Summary]) -> Table:
    """Make a line of each recipient of a batch, in the batch's order."""
    rows = [
        (
            str(each.position),
            str(each.public_id),
            coloured(each.status),
            each.recipient,
            *_seldom(each),
            _why(each),
        )
        for each in sorted(summaries, key=lambda each: each.position)
    ]
    return _lines(("#", "id", "status", "to", *_SELDOM, "reason"), rows)


def facts(summary: Summary) -> Table:
    """Tell what was asked for, and where it stands."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("id", _id(summary))
    table.add_row("status", coloured(summary.status))
    table.add_row("to", Text(summary.recipient))
    table.add_row("channel", f"{summary.channel}, lane {summary.lane}, from {summary.source}")
    if summary.template is not None:
        table.add_row("template", summary.template)
    if summary.batch_id is not None:
        table.add_row("batch", f"{summary.batch_id}, recipient {summary.position}")
    if summary.idempotency_key not in (str(summary.public_id), str(summary.batch_id)):
        table.add_row("key", Text(summary.idempotency_key))
    if summary.expires_at is not None:
        table.add_row("expires", f"{_time(summary.expires_at)} UTC")
    if summary.due_at is not None:
        what = _DUE.get(summary.status, "it is taken up again")
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
    """Make a line of each thing that happened to one notification, in the order of time."""
    begin = story.summary.received_at
    rows = [
        (_time(step.at), f"{(step.at - begin).total_seconds():+.3f} s", step.what, step.how)
        for step in sorted(_steps(story), key=lambda step: step.at)
    ]
    rows += [
        ("", "", Text(f"attempt {attempt.number} open"), _lease(story.summary))
        for attempt in story.attempts
        if attempt.outcome is None
    ]
    return _lines(("time (UTC)", "after", "what", "how"), rows)


def milliseconds(attempt: Attempt) -> int | None:
    """Tell how long a call took; None while it is open."""
    if attempt.ended_at is None:
        return None
    return round((attempt.ended_at - attempt.started_at).total_seconds() * 1000)


def coloured(status: Status) -> Text:
    """Write a status in its colour; what went wrong is red."""
    return Text(status.value, _COLOURS.get(status, "red"))


@dataclass(frozen=True, slots=True)
class _Step:
    at: datetime
    what: Text
    how: str


def _steps(story: Story) -> Iterator[_Step]:
    """Tell what happened; of things at one instant, causes come first."""
    summary = story.summary
    asked = f"{summary.channel} for lane {summary.lane} from {summary.source}"
    yield _Step(summary.received_at, Text("received"), asked)
    for attempt in story.attempts:
        name = f"attempt {attempt.number}"
        yield _Step(attempt.started_at, Text(f"{name} begun"), f"through {attempt.provider}")
        if attempt.ended_at is not None and attempt.outcome is not None:
            what = f"{name} {_words(attempt.outcome)}"
            yield _Step(attempt.ended_at, Text(what), _answer(attempt))
    told = {attempt.reason for attempt in story.attempts}
    for event in story.events:
        # The change that an attempt brought about need not repeat the attempt's reason.
        reason = event.reason if event.reason not in told else None
        yield _Step(event.at, coloured(event.status), reason or "")


def _answer(attempt: Attempt) -> str:
    parts = [
        f"{milliseconds(attempt)} ms",
        attempt.http_status and f"HTTP {attempt.http_status}",
        attempt.code and f"code {attempt.code}",
        attempt.provider_id and f"provider id {attempt.provider_id}",
        attempt.reason,
    ]
    return ", ".join(part for part in parts if part)


def _words(outcome: Outcome) -> str:
    return outcome.value.replace("_", " ")


def _lease(summary: Summary) -> str:
    until = summary.lease_until
    return f"lease until {_time(until)} UTC" if until is not None else "no lease"


def _seldom(summary: Summary) -> tuple[str, str]:
    """Tell what few notifications have: several attempts, or a time at which they are due."""
    attempts = str(summary.attempts) if summary.attempts > 1 else ""
    return attempts, _time(summary.due_at) if summary.due_at is not None else ""


def _why(summary: Summary) -> str:
    note = "possible duplicate" if summary.possible_duplicate else None
    return "; ".join(part for part in (note, summary.reason) if part)


def _lines(titles: Sequence[str], rows: Sequence[Sequence[str | Text]]) -> Table:
    """Make a table without rules, of which only the last column gives way to a narrow terminal."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    empty = {
        n for n, title in enumerate(titles) if title in _SELDOM and not any(r[n] for r in rows)
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
    return when.astimezone(UTC).isoformat(sep=" ", timespec="milliseconds")[:-6]
