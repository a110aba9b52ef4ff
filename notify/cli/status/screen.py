"""The screen of `notify status`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from rich.console import Group, RenderableType
from rich.text import Text

from notify.cli.console import Table
from notify.cli.flow import circuits_view as circuits
from notify.cli.flow import holds_view as held
from notify.cli.flow import limits_view as rates
from notify.cli.overview import Now, Overview, crews, paused
from notify.ledger import TERMS, LedgerSnapshot, Line
from notify.message import Channel, Status
from notify.settings import Settings
from notify.store.ledger import Late
from notify.topology import DEAD, Depth, queue_name

_LATE = timedelta(seconds=10)
"""What has been due for so long is told in red."""
_SLOW = 0.05
_STEADY = 0.5
"""Messages a second that a queue may grow by and count as steady."""


def drawn(settings: Settings, overview: Overview) -> RenderableType:
    """Draw everything; a part that could not be read says why in its place."""
    parts: list[RenderableType] = [_head(overview), *_broker(settings, overview)]
    if overview.now is None or overview.books is None:
        parts += [_title("record"), _away(overview.away["record"])]
        return Group(*parts)
    now, books = overview.now, overview.books
    parts += [_title("providers"), circuits.listing(now.circuits) if now.circuits else "none"]
    if limits := [each for each in now.limits if each.limit.rate is not None or each.said]:
        parts += [_title("limits"), rates.listing(limits)]
    parts += [_title("holds"), _holds(now)]
    parts += [_title("record"), _record(overview.at, now, books)]
    return Group(*parts)


def _head(overview: Overview) -> Text:
    return Text.assemble(
        ("notify", "bold"), f"  {overview.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    )


def _title(words: str) -> Text:
    return Text(f"\n{words}", style="bold cyan")


def _away(why: str) -> Text:
    return Text(f"cannot be read: {why}", style="red")


def _broker(settings: Settings, overview: Overview) -> Iterator[RenderableType]:
    yield _title("workers")
    if overview.queues is None:
        yield _away(overview.away["broker"])
        return
    yield _workers(settings, overview)
    yield _title("queues")
    yield _queues(settings, overview, overview.queues)


def _workers(settings: Settings, overview: Overview) -> Text:
    line = Text()
    for crew in crews(settings, overview):
        count = f"{crew.least}" if crew.least == crew.most else f"{crew.least} to {crew.most}"
        style = "bold red" if crew.missing else "green" if crew.least else "yellow"
        line.append(f"{crew.pool} ").append(count, style=style).append("   ")
    return line


def _queues(settings: Settings, overview: Overview, queues: Mapping[str, Depth | None]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("queue", no_wrap=True)
    for title in ("waiting", "growing", "sent", "drained in", "in hand", "put off", "oldest"):
        table.add_column(title, no_wrap=True, justify="right")
    table.add_column("not consumed, since")
    lines, why = _lines(overview.books), paused(settings, overview)
    for channel in [each for each in Channel if each in settings.channels]:
        for lane in settings.lanes:
            name = queue_name(channel, lane)
            told = lines.get((channel, lane))
            table.add_row(
                name, *_queue(overview, name), *_told(told, overview.at), why.get(name, "")
            )
    table.add_row(DEAD, *_queue(overview, DEAD))
    for name, depth in queues.items():
        if name not in _shown(settings) and depth is not None and depth.ready:
            table.add_row(Text(name, style="red"), *_queue(overview, name))
    return table


def _shown(settings: Settings) -> set[str]:
    served = {queue_name(channel, lane) for channel in settings.channels for lane in settings.lanes}
    return served | {DEAD}


def _queue(overview: Overview, name: str) -> Sequence[str | Text]:
    depth = (overview.queues or {}).get(name)
    if depth is None:
        return [Text("missing", style="bold red"), "", "", ""]
    growth = overview.growth.get(name, 0.0)
    pace = overview.now.pace.get(name, 0.0) if overview.now else 0.0
    drain = overview.drain.get(name)
    style = "yellow" if depth.ready and not depth.consumers else ""
    return [
        Text(f"{depth.ready:,}", style=style),
        Text(f"{growth:+,.0f}/s", style="yellow" if growth > 0 else "green")
        if abs(growth) >= _STEADY
        else "",
        (f"{pace:,.1f}/s" if pace >= _SLOW else "<0.1/s") if pace else "",
        _span(drain) if drain is not None else ("" if not depth.ready else "?"),
    ]


def _lines(books: LedgerSnapshot | None) -> Mapping[tuple[str | None, str | None], Line]:
    return {(line.channel, line.lane): line for line in books.ledger.lines} if books else {}


def _told(line: Line | None, at: datetime) -> Sequence[str]:
    if line is None:
        return ["", "", ""]
    counts = line.in_flight
    waits = counts.get(Status.QUEUED, 0) + counts.get(Status.SCHEDULED, 0)
    hand = counts.get(Status.SENDING, 0)
    oldest = _span((at - line.oldest).total_seconds()) if line.oldest else ""
    return [f"{hand:,}" if hand else "", f"{waits:,}" if waits else "", oldest]


def _holds(now: Now) -> Text:
    told = "\n".join(held.listing(now.standing.holds, now.kept))
    return Text(told, style="yellow") if told else Text("none")


def _record(at: datetime, now: Now, books: LedgerSnapshot) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column()
    table.add_row("ledger", _ledger(books))
    terms = books.ledger.terms
    unknown = Text(f"{terms.get('unknown', 0):,} outcomes; look-ups due: ")
    table.add_row("unknown", unknown.append(_late(now.lookups, at)))
    causes = ", ".join(f"{count:,} {cause}" for cause, count in sorted(books.dead.items()))
    waiting = f"{sum(books.dead.values()):,} wait"
    table.add_row("dead letters", f"{waiting}: {causes}" if causes else waiting)
    late = Text("due: ").append(_late(now.relay, at)).append("; events to tell: ")
    table.add_row("relay", late.append(_late(now.news, at)))
    return table


def _ledger(books: LedgerSnapshot) -> Text:
    ledger, terms = books.ledger, books.ledger.terms
    sums = " + ".join(f"{terms[term]:,} {term}" for term in TERMS if terms.get(term)) or "0"
    line = Text(f"{ledger.accepted:,} accepted = {sums}; difference ")
    line.append(f"{ledger.difference:,}", style="bold red" if ledger.difference else "green")
    return line.append(f"  (at {ledger.at.astimezone(UTC):%H:%M:%S})", style="dim")


def _late(late: Late, at: datetime) -> Text:
    if late.oldest is None:
        return Text("none")
    age = at - late.oldest
    told = f"{late.count:,}, the oldest for {_span(age.total_seconds())}"
    return Text(told, style="red" if age > _LATE else "")


def _span(seconds: float) -> str:
    if seconds < 60:
        return f"{max(seconds, 0):.0f} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.0f} d"
