"""`notify status`: the state of the whole service on one screen."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import click
from rich.live import Live

from notify.cli.console import Console
from notify.cli.output import print_json
from notify.cli.status.screen import drawn
from notify.settings import load
from notify.status.overview import Overview
from notify.status.reader import StatusReader

_INTERVAL = 2.0
"""Seconds between two reads."""
_WIDEST = 200
"""Columns if the output is not a terminal: nothing is cut."""


@click.command()
@click.option("--watch", is_flag=True, help="Read again every 2 seconds, until Ctrl-C.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object; with --watch, one a line."
)
def status(*, watch: bool, as_json: bool) -> None:
    """Show the state of the service: workers, queues, providers, limits, holds, the record.

    A part that cannot be read says why in its place, and the exit code is 1. The command changes
    nothing, and may run at any time. All times are in UTC.

    \b
    Examples:
      notify status
      notify status --watch
      notify status --json | jq '.queues[] | select(.waiting > 1000) | .name'
    """
    with StatusReader(load()) as reader:
        if watch:
            _watch(reader, as_json=as_json)
            return
        overview = reader.read()
    if as_json:
        print_json(overview.as_json())
    else:
        _console().print(drawn(overview))
    sys.exit(1 if overview.unreadable else 0)


def _watch(reader: StatusReader, *, as_json: bool) -> None:
    try:
        if as_json:
            for overview in _reads(reader):
                print_json(overview.as_json())
            return
        with Live(console=_console(), screen=sys.stdout.isatty(), auto_refresh=False) as live:
            for overview in _reads(reader):
                live.update(drawn(overview), refresh=True)
    except KeyboardInterrupt:
        return


def _reads(reader: StatusReader) -> Iterator[Overview]:
    while True:
        began = time.monotonic()
        yield reader.read()
        time.sleep(max(0.0, began + _INTERVAL - time.monotonic()))


def _console() -> Console:
    return Console() if sys.stdout.isatty() else Console(width=_WIDEST)
