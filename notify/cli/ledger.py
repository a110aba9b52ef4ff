"""`notify ledger`: whether all that was ever accepted is still somewhere, and exactly once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import amqp
import click

from notify.cli.console import Console, Table
from notify.cli.options.given import NUMBER
from notify.errors import ConfigError, NotifyError
from notify.ledger import TERMS, Contradiction, Ledger, Line, build_ledger
from notify.service import open_broker, opened_record, topology_of
from notify.settings import Settings, load
from notify.topology import depths

Group = tuple[str, ...]


class By(click.ParamType[Group]):
    """Reads `channel`, `lane` or both, joined by a comma."""

    name = "by"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Group:
        """Give the words, in the order of writing."""
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
"""Gives a command that tells of contradictions how many ids to list, as `ids`."""


@click.command()
@click.option(
    "--by",
    type=By(),
    metavar="WHAT",
    help="Break the terms down by channel, lane, or channel,lane.",
)
@ids_option
@click.option("--broker", is_flag=True, help="Add what lies in each queue of the broker.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def ledger(*, by: Group | None, ids: int, broker: bool, as_json: bool) -> None:
    """Check that every accepted request is accounted for, exactly once.

    It may run at any time, beside the workers: it reads one moment of the record. Accepted must
    equal the sum of the terms, and every status must agree with the calls and events on record.
    A contradiction is listed with the ids it is about, and the exit code is 1; what is merely
    doubtful, such as a lease that passed long ago, is listed and leaves the exit code 0. What
    lies in the broker's queues is not on record yet: --broker shows it.

    \b
    Examples:
      notify ledger
      notify ledger --by channel,lane --broker
      notify ledger --json --ids 1000 | jq .faults
    """
    settings = load()
    with opened_record(settings) as store:
        drawn = build_ledger(store, now=store.clock(), ids=ids)
    queues = _queues(settings) if broker else None
    if as_json:
        click.echo(json.dumps(as_plain(drawn, queues), ensure_ascii=False))
    else:
        show(Console(), drawn, by=by, queues=queues)
    if not drawn.balanced:
        raise NotifyError("the ledger does not balance: `notify show ID` tells an id's whole story")


def _queues(settings: Settings) -> dict[str, tuple[int, int]]:
    """Ask the broker for each queue's messages and consumers."""
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
    """Print the ledger for people."""
    console.print(f"ledger at {ledger.at:%Y-%m-%d %H:%M:%S} UTC\n", highlight=False)
    console.print(_terms(ledger) if by is None else _breakdown(ledger, by))
    if waiting := [line for line in ledger.lines if line.oldest is not None]:
        console.print()
        console.print(_oldest(waiting, ledger.at))
    if queues is not None:
        console.print()
        console.print(_table(("queue", "ready", "consumers"), _queue_rows(queues)))
    for title, found in (("contradictions", ledger.faults), ("doubts", ledger.doubts)):
        _print_found(console, title, found)
    if ledger.difference:
        console.print(f"\n[red]{ledger.difference} accepted, and in none of the terms[/red]")
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


def _oldest(lines: Sequence[Line], at: datetime) -> Table:
    rows = [(line.channel or "?", line.lane or "?", _age(line, at)) for line in lines]
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


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]], *, words: int = 1) -> Table:
    """Make a plain table whose first columns are words and whose others are numbers."""
    table = Table(box=None, pad_edge=False, show_header=any(titles))
    for place, title in enumerate(titles):
        table.add_column(title, justify="left" if place < words else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def _age(line: Line, at: datetime) -> str:
    if line.oldest is None:
        return ""
    return str(timedelta(seconds=round((at - line.oldest).total_seconds())))


def as_plain(ledger: Ledger, queues: Mapping[str, tuple[int, int]] | None) -> dict[str, Any]:
    """Give the ledger as JSON's types."""
    plain = {
        "at": ledger.at.isoformat(),
        "balanced": ledger.balanced,
        "accepted": ledger.accepted,
        "difference": ledger.difference,
        "terms": {term: ledger.terms.get(term, 0) for term in TERMS},
        "lines": [_plain_line(line, ledger.at) for line in ledger.lines],
        "faults": _plain_found(ledger.faults),
        "doubts": _plain_found(ledger.doubts),
    }
    if queues is not None:
        plain["queues"] = {
            name: {"ready": ready, "consumers": consumers}
            for name, (ready, consumers) in queues.items()
        }
    return plain


def _plain_line(line: Line, at: datetime) -> dict[str, Any]:
    age = line.oldest and (at - line.oldest).total_seconds()
    return {
        "channel": line.channel,
        "lane": line.lane,
        "terms": dict(line.terms),
        "in_flight": dict(line.in_flight),
        "oldest_seconds": age,
    }


def _plain_found(found: Mapping[Any, Contradiction]) -> dict[str, Any]:
    return {
        kind.name.lower(): {
            "means": kind.value,
            "count": each.count,
            "ids": [str(id_) for id_ in each.ids],
        }
        for kind, each in found.items()
    }
