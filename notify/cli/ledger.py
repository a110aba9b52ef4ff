"""`notify ledger`: check that every accepted request is accounted for, exactly once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import amqp
import click

from notify.cli.console import Console, Table
from notify.cli.options.as_json import json_option
from notify.cli.options.given import NUMBER
from notify.cli.output import print_json, span, utc
from notify.errors import ConfigError, NotifyError
from notify.ledger import TERMS, Contradiction, Ledger, Miscount, build_ledger
from notify.service.broker import open_broker, topology_of
from notify.service.record import opened_record
from notify.settings import Settings, load
from notify.status.ledger import ledger_as_json
from notify.topology import depths

Group = tuple[str, ...]


class By(click.ParamType[Group]):
    """Parses `channel`, `lane` or both, joined by a comma."""

    name = "by"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Group:
        """Return the words, in the order of writing."""
        words = tuple(str(value).split(","))
        if len(set(words)) != len(words) or set(words) - {"channel", "lane"}:
            self.fail("write channel, lane or channel,lane", param, ctx)
        return words


ids_option = click.option(
    "--ids",
    type=click.IntRange(min=0, max=NUMBER.max),
    default=10,
    show_default=True,
    help="List at most so many ids of each contradiction.",
)
"""How many ids of each contradiction a command lists, as `ids`."""


@click.command()
@click.option(
    "--by",
    type=By(),
    metavar="WHAT",
    help="Break the terms down by channel, lane, or channel,lane.",
)
@ids_option
@click.option(
    "--full",
    is_flag=True,
    help="Check the whole record, not only what is new, has changed or is open.",
)
@click.option("--broker", is_flag=True, help="Add the messages in each queue of the broker.")
@json_option
def ledger(*, by: Group | None, ids: int, full: bool, broker: bool, as_json: bool) -> None:
    """Check that every accepted request is accounted for, exactly once.

    It may run at any time, beside the workers. Accepted must equal the sum of the terms, and every
    status must agree with the calls and events on record. It remembers what it has checked: the
    next run checks what is new, has changed, is open or was contradictory, and some of the rest.
    --full checks everything.

    A contradiction is listed with its ids, and the exit code is 1; a doubt, such as a lease that
    ended long ago, is listed, and the exit code stays 0. Messages in the broker's queues are not
    on record yet: --broker shows them.

    \b
    Examples:
      notify ledger
      notify ledger --full --by channel,lane --broker
      notify ledger --json --ids 1000 | jq .faults
    """
    settings = load()
    with opened_record(settings) as store:
        drawn = build_ledger(store, now=store.clock(), ids=ids, full=full)
    queues = _queues(settings) if broker else None
    if as_json:
        print_json(ledger_as_json(drawn, queues))
    else:
        show(Console(), drawn, by=by, queues=queues)
    if not drawn.balanced:
        raise NotifyError(
            "the ledger does not balance: `notify show ID` shows the timeline of an id"
        )


def _queues(settings: Settings) -> dict[str, tuple[int, int]]:
    """Return each queue's messages and consumers, from the broker."""
    try:
        connection = open_broker(settings)
    except (OSError, amqp.AMQPError) as error:
        kind = type(error).__name__
        raise NotifyError(f"the broker of amqp.url cannot be reached: {kind}") from None
    with connection:
        return _depths(settings, connection)


def _depths(settings: Settings, connection: amqp.Connection) -> dict[str, tuple[int, int]]:
    found = {}
    names = [queue.name for queue in topology_of(settings).queues]
    for name, depth in depths(names, connection).items():
        if depth is None:
            raise ConfigError(f"queue {name} is missing on the broker: run `notify topology apply`")
        found[name] = (depth.ready, depth.consumers)
    return found


def show(
    console: Console,
    ledger: Ledger,
    *,
    by: Group | None,
    queues: Mapping[str, tuple[int, int]] | None,
) -> None:
    """Print the ledger as tables."""
    console.print(f"ledger at {utc(ledger.at)} UTC\n", highlight=False)
    console.print(_terms(ledger) if by is None else _breakdown(ledger, by))
    oldest = _oldest(ledger)
    if oldest.row_count:
        console.print()
        console.print(oldest)
    if queues is not None:
        console.print()
        console.print(_table(("queue", "ready", "consumers"), _queue_rows(queues)))
    for title, found in (("contradictions", ledger.faults), ("doubts", ledger.doubts)):
        _print_found(console, title, found)
    _print_miscounts(console, ledger.miscounts)
    if ledger.difference:
        console.print(f"\n[red]{ledger.difference} accepted, but in none of the terms[/red]")
    if ledger.balanced:
        console.print("\n[green]it balances[/green]")


def _terms(ledger: Ledger) -> Table:
    rows = [(term, str(ledger.terms.get(term, 0))) for term in TERMS]
    return _table(("", ""), [("accepted", str(ledger.accepted)), *rows])


def _breakdown(ledger: Ledger, by: Group) -> Table:
    terms = [term for term in TERMS if ledger.terms.get(term)]
    groups: dict[Group, Counter[str]] = {}
    for line in ledger.lines:
        key = tuple(getattr(line, word) or "?" for word in by)
        groups.setdefault(key, Counter()).update(line.terms)
    rows = [(*key, *(str(counts[term]) for term in terms)) for key, counts in groups.items()]
    total = (*("all", "")[: len(by)], *(str(ledger.terms[term]) for term in terms))
    return _table((*by, *terms), [*rows, total], words=len(by))


def _oldest(ledger: Ledger) -> Table:
    rows = [
        (line.channel or "?", line.lane or "?", span((ledger.at - line.oldest).total_seconds()))
        for line in ledger.lines
        if line.oldest is not None
    ]
    return _table(("channel", "lane", "oldest in flight"), rows, words=2)


def _queue_rows(queues: Mapping[str, tuple[int, int]]) -> list[tuple[str, ...]]:
    return [(name, str(ready), str(consumers)) for name, (ready, consumers) in queues.items()]


def _print_found(console: Console, title: str, found: Mapping[Any, Contradiction]) -> None:
    if found:
        console.print(f"\n{title}", style="bold")
    for kind, each in found.items():
        console.print(f"  {kind.value}: {each.count}", highlight=False)
        for id_ in each.ids:
            console.print(f"    {id_}", highlight=False)
        if each.count > len(each.ids):
            console.print(f"    and {each.count - len(each.ids)} more; --ids shows more")


def _print_miscounts(console: Console, found: Sequence[Miscount]) -> None:
    if found:
        console.print("\ntotals that differed from their rows, and are corrected", style="bold")
    for each in found:
        console.print(f"  {each}", highlight=False)


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]], *, words: int = 1) -> Table:
    """Return a table whose first columns are words and whose others are numbers."""
    table = Table(box=None, pad_edge=False, show_header=any(titles))
    for place, title in enumerate(titles):
        table.add_column(title, justify="left" if place < words else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table
