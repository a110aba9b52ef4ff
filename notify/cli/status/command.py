"""`notify status`: how everything stands, on one screen."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import click
from rich.live import Live

from notify.cli.console import Console
from notify.cli.flow import circuits_view as circuits
from notify.cli.flow import holds_view as held
from notify.cli.flow import limits_view as rates
from notify.cli.ledger import as_plain as plain_ledger
from notify.cli.overview import Overview, StatusReader, crews, paused
from notify.cli.status.screen import drawn
from notify.ledger import LedgerSnapshot
from notify.settings import Settings, load
from notify.store.ledger import Late

_EVERY = 2.0
"""Seconds between two looks."""
_WIDEST = 200
"""Columns where the output is no terminal: nothing is cut."""


@click.command()
@click.option("--watch", is_flag=True, help="Look again every 2 seconds, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object; one a line to watch.")
def status(*, watch: bool, as_json: bool) -> None:
    """Show how everything stands: workers, queues, providers, limits, holds, the record.

    A part that cannot be read says so in its place, and the exit code is 1. What it shows changes
    nothing, and it may run at any time. All times are in UTC.

    \b
    Examples:
      notify status
      notify status --watch
      notify status --json | jq '.queues[] | select(.waiting > 1000) | .name'
    """
    settings = load()
    with StatusReader(settings) as lookout:
        if watch:
            _watch(settings, lookout, as_json=as_json)
            return
        overview = lookout.look()
    if as_json:
        click.echo(_line(settings, overview))
    else:
        _console().print(drawn(settings, overview))
    sys.exit(1 if overview.away else 0)


def _watch(settings: Settings, lookout: StatusReader, *, as_json: bool) -> None:
    try:
        if as_json:
            for overview in _looks(lookout):
                click.echo(_line(settings, overview))
            return
        with Live(console=_console(), screen=sys.stdout.isatty(), auto_refresh=False) as live:
            for overview in _looks(lookout):
                live.update(drawn(settings, overview), refresh=True)
    except KeyboardInterrupt:
        return


def _looks(lookout: StatusReader) -> Iterator[Overview]:
    while True:
        began = time.monotonic()
        yield lookout.look()
        time.sleep(max(0.0, began + _EVERY - time.monotonic()))


def _console() -> Console:
    return Console() if sys.stdout.isatty() else Console(width=_WIDEST)


def _line(settings: Settings, overview: Overview) -> str:
    return json.dumps(as_plain(settings, overview), ensure_ascii=False)


def as_plain(settings: Settings, overview: Overview) -> dict[str, Any]:
    """Give everything as JSON's types; what could not be read is null."""
    now, books = overview.now, overview.books
    return {
        "at": overview.at.isoformat(),
        "unreadable": dict(overview.away),
        "workers": _workers(settings, overview),
        "queues": _queues(settings, overview),
        "providers": now and [circuits.dumped(each) for each in now.circuits],
        "limits": now and [rates.dumped(each) for each in now.limits],
        "holds": now
        and [held.dumped(each) | {"kept": now.kept.get(each.id, 0)} for each in now.standing.holds],
        "ledger": books and _ledger(books),
        "dead_letters": books and {str(cause): count for cause, count in books.dead.items()},
        "late": now
        and {
            "relay": _late(now.relay, overview.at),
            "lookups": _late(now.lookups, overview.at),
            "events": _late(now.news, overview.at),
        },
    }


def _workers(settings: Settings, overview: Overview) -> dict[str, Any] | None:
    if overview.queues is None:
        return None
    return {
        crew.pool: {"least": crew.least, "most": crew.most, "missing": crew.missing}
        for crew in crews(settings, overview)
    }


def _queues(settings: Settings, overview: Overview) -> list[dict[str, Any]] | None:
    if overview.queues is None:
        return None
    pace = overview.now.pace if overview.now else {}
    why = paused(settings, overview)
    return [
        {
            "name": name,
            "waiting": depth and depth.ready,
            "consumers": depth and depth.consumers,
            "growth_per_second": overview.growth.get(name),
            "sent_per_second": pace.get(name),
            "drained_in_seconds": overview.drain.get(name),
            "paused": why.get(name),
        }
        for name, depth in overview.queues.items()
    ]


def _ledger(books: LedgerSnapshot) -> dict[str, Any]:
    plain = plain_ledger(books.ledger, None)
    # Contradictions were not looked for, so nothing is said of them.
    return {key: plain[key] for key in ("at", "accepted", "difference", "terms", "lines")}


def _late(late: Late, at: datetime) -> dict[str, Any]:
    return {"count": late.count, "seconds": late.oldest and (at - late.oldest).total_seconds()}
