"""How commands print: times, spans, JSON, and tables that no terminal cuts."""

from __future__ import annotations

import click
from rich.measure import Measurement

from notify.cli.console import Console, Table
from notify.status.plain import to_json, utc

__all__ = ["plain_table", "print_json", "print_whole", "report_omitted", "span", "until", "utc"]

_WIDEST = 10_000


def print_json(value: object, *, indent: int | None = None) -> None:
    """Print a value as JSON, by default on one line."""
    click.echo(to_json(value, indent=indent))


def span(seconds: float) -> str:
    """Return a span of time for people: `0.4 s`, `42 s`, `5 min`, `3.5 h`, `4 d`."""
    if seconds < 10:
        return f"{max(seconds, 0):.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.0f} d"


def until(seconds: float | None, *, otherwise: str, timespec: str = "minutes") -> str:
    """
    Return when an override ends: `until 2025-01-31 09:00 UTC`.

    Args:
        seconds: Seconds since 1970; None if it has no end.
        otherwise: What ends it then, such as `it is released`.
        timespec: The last part of the time to write.
    """
    if seconds is None:
        return f"until {otherwise}"
    return f"until {utc(seconds, timespec=timespec)} UTC"


def plain_table(*, show_header: bool = True) -> Table:
    """Return a table without rules, as all commands print them."""
    return Table(box=None, pad_edge=False, header_style="bold", show_header=show_header)


def print_whole(console: Console, table: Table) -> None:
    """Print a table without cutting ids and words, even on a narrow terminal."""
    size = Measurement.get(console, console.options.update(max_width=_WIDEST), table)
    wanted = size.minimum if console.is_terminal else size.maximum
    console.width = max(console.width, wanted)
    console.print(table)


def report_omitted(found: int, *, limit: int) -> None:
    """Print on standard error that a list is not complete, if more than *limit* were found."""
    if found > limit:
        click.echo(f"only the newest {limit} are listed; --limit raises that", err=True)
