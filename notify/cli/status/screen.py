"""The screen of `notify status`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from rich.console import Group, RenderableType
from rich.text import Text

from notify.cli.console import Table
from notify.cli.flow import circuits_view, holds_view, limits_view
from notify.cli.output import plain_table, span, utc
from notify.ledger import TERMS, LedgerSnapshot, Line
from notify.message import Channel, Status
from notify.status.holds import HoldStatus
from notify.status.overview import Overview, RecordStatus
from notify.store.ledger import Late
from notify.topology import DEAD, Depth, queue_name

_LATE = timedelta(seconds=10)
"""From this age on, what is due is shown in red."""
_SLOW = 0.05
"""Messages a second below which a pace is shown as `<0.1/s`."""
_STEADY = 0.5
"""Messages a second that a queue may grow by and count as steady."""


def drawn(overview: Overview) -> RenderableType:
    """Return the screen; a part that could not be read says why in its place."""
    parts: list[RenderableType] = [_head(overview), *_broker(overview)]
    record, ledger = overview.record, overview.ledger
    if record is None or ledger is None:
        parts += [_title("record"), _unreadable(overview.unreadable["record"])]
        return Group(*parts)
    circuits = record.circuits
    parts += [_title("providers"), circuits_view.listing(circuits) if circuits else "none"]
    if limits := [each for each in record.limits if each.limit.rate is not None or each.differs]:
        parts += [_title("limits"), limits_view.listing(limits)]
    parts += [_title("holds"), _holds(record.holds)]
    parts += [_title("record"), _record(overview.at, record, ledger)]
    return Group(*parts)


def _head(overview: Overview) -> Text:
    return Text.assemble(("notify", "bold"), f"  {utc(overview.at)} UTC")


def _title(words: str) -> Text:
    return Text(f"\n{words}", style="bold cyan")


def _unreadable(why: str) -> Text:
    return Text(f"cannot be read: {why}", style="red")


def _broker(overview: Overview) -> Iterator[RenderableType]:
    yield _title("workers")
    if overview.queues is None:
        yield _unreadable(overview.unreadable["broker"])
        return
    yield _workers(overview)
    yield _title("queues")
    yield _queues(overview, overview.queues)


def _workers(overview: Overview) -> Text:
    line = Text()
    for pool in overview.pools:
        count = f"{pool.least}" if pool.least == pool.most else f"{pool.least} to {pool.most}"
        style = "bold red" if pool.missing else "green" if pool.least else "yellow"
        line.append(f"{pool.pool} ").append(count, style=style).append("   ")
    return line


def _queues(overview: Overview, queues: Mapping[str, Depth | None]) -> Table:
    table = plain_table()
    table.add_column("queue", no_wrap=True)
    for title in ("waiting", "growing", "sent", "ETA", "sending", "deferred", "oldest"):
        table.add_column(title, no_wrap=True, justify="right")
    table.add_column("not consumed, since")
    lines, paused = _lines(overview.ledger), overview.paused
    served = {DEAD}
    for channel in [each for each in Channel if each in overview.settings.channels]:
        for lane in overview.settings.lanes:
            name = queue_name(channel, lane)
            counts = _counts(lines.get((channel, lane)), overview.at)
            table.add_row(name, *_queue(overview, name), *counts, paused.get(name, ""))
            served.add(name)
    table.add_row(DEAD, *_queue(overview, DEAD))
    for name, depth in queues.items():
        if name not in served and depth is not None and depth.ready:
            table.add_row(Text(name, style="red"), *_queue(overview, name))
    return table


def _queue(overview: Overview, name: str) -> Sequence[str | Text]:
    depth = (overview.queues or {}).get(name)
    if depth is None:
        return [Text("missing", style="bold red"), "", "", ""]
    growth = overview.growth.get(name, 0.0)
    pace = overview.record.pace.get(name, 0.0) if overview.record else 0.0
    drain = overview.drain.get(name)
    style = "yellow" if depth.ready and not depth.consumers else ""
    return [
        Text(f"{depth.ready:,}", style=style),
        Text(f"{growth:+,.0f}/s", style="yellow" if growth > 0 else "green")
        if abs(growth) >= _STEADY
        else "",
        (f"{pace:,.1f}/s" if pace >= _SLOW else "<0.1/s") if pace else "",
        span(drain) if drain is not None else ("" if not depth.ready else "?"),
    ]


def _lines(ledger: LedgerSnapshot | None) -> Mapping[tuple[str | None, str | None], Line]:
    return {(line.channel, line.lane): line for line in ledger.ledger.lines} if ledger else {}


def _counts(line: Line | None, at: datetime) -> Sequence[str]:
    """Return how many notifications of a queue are sending and deferred, and the oldest's age."""
    if line is None:
        return ["", "", ""]
    counts = line.in_flight
    deferred = counts.get(Status.QUEUED, 0) + counts.get(Status.SCHEDULED, 0)
    sending = counts.get(Status.SENDING, 0)
    oldest = span((at - line.oldest).total_seconds()) if line.oldest else ""
    return [f"{sending:,}" if sending else "", f"{deferred:,}" if deferred else "", oldest]


def _holds(holds: Sequence[HoldStatus]) -> Text:
    lines = "\n".join(holds_view.listing(holds))
    return Text(lines, style="yellow") if lines else Text("none")


def _record(at: datetime, record: RecordStatus, snapshot: LedgerSnapshot) -> Table:
    table = plain_table(show_header=False)
    table.add_column(no_wrap=True)
    table.add_column()
    table.add_row("ledger", _ledger(snapshot))
    unknown = Text(f"{snapshot.ledger.terms.get('unknown', 0):,} outcomes; look-ups due: ")
    table.add_row("unknown", unknown.append(_late(record.lookups, at)))
    causes = ", ".join(f"{count:,} {cause}" for cause, count in sorted(snapshot.dead.items()))
    waiting = f"{sum(snapshot.dead.values()):,} wait"
    table.add_row("dead letters", f"{waiting}: {causes}" if causes else waiting)
    late = Text("due: ").append(_late(record.relay, at)).append("; events to publish: ")
    table.add_row("relay", late.append(_late(record.events, at)))
    return table


def _ledger(snapshot: LedgerSnapshot) -> Text:
    ledger, terms = snapshot.ledger, snapshot.ledger.terms
    sums = " + ".join(f"{terms[term]:,} {term}" for term in TERMS if terms.get(term)) or "0"
    line = Text(f"{ledger.accepted:,} accepted = {sums}; difference ")
    line.append(f"{ledger.difference:,}", style="bold red" if ledger.difference else "green")
    return line.append(f"  (at {utc(ledger.at)[11:]})", style="dim")


def _late(late: Late, at: datetime) -> Text:
    if late.oldest is None:
        return Text("none")
    age = at - late.oldest
    words = f"{late.count:,}, the oldest for {span(age.total_seconds())}"
    return Text(words, style="red" if age > _LATE else "")
