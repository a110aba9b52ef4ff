"""`notify suppress import` and `export`: CSV, row by row."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import IO

import click
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from notify.cli.console import Console
from notify.cli.options.actor import actor_of, reason_option
from notify.cli.options.as_json import json_option
from notify.cli.options.filters import channel_option
from notify.cli.options.given import name_of, refuse_foreign
from notify.cli.options.span import span_option
from notify.cli.output import print_json
from notify.cli.suppress.options import kind_option, scope_option
from notify.errors import NotifyError
from notify.message import Channel
from notify.service.record import opened_record
from notify.settings import load
from notify.status.suppressions import stream_suppressions
from notify.suppression import (
    ALL,
    COLUMNS,
    ImportDefaults,
    SuppressionFilter,
    SuppressionReason,
    csv_row,
    import_entries,
    read_csv,
)

_SHOWN = 10
"""Refused rows whose lines are printed."""


class _Refused:
    """Counts refused rows, and prints the first of them."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, line: int, why: str) -> None:
        self.count += 1
        if self.count <= _SHOWN:
            click.echo(f"line {line}: {why}", err=True)


@click.command(name="import")
@click.argument("file", type=click.File("rb"))
@channel_option("The channel of rows without the column `channel`.")
@scope_option("The scope of rows without the column `scope`.", default=ALL)
@kind_option("The reason of rows without the column `reason`.", default=SuppressionReason.IMPORTED)
@span_option("it is lifted")
@reason_option("Why; kept in the audit.")
@json_option
def import_(
    *,
    file: IO[bytes],
    channel: Channel | None,
    scope: str,
    kind: SuppressionReason,
    span: timedelta | None,
    reason: str,
    as_json: bool,
) -> None:
    """Add the entries of a CSV file; - reads standard input.

    The first row names the columns: `recipient` (or `email`, `phone`, `to`, `address`) or `hash`,
    and optionally `channel`, `scope`, `reason`, `binding`, `evidence`, `provider`, `since` and
    `until`; others are ignored. A file of one column needs no such row. Addresses may be in any
    spelling; only their hashes are kept.

    The file is read row by row, in transactions of 1,000: a million rows need no memory. Rows that
    the list has already change nothing, so an interrupted import is simply repeated. Refused rows
    are listed by their lines, never by their content, and the exit code is 1.

    \b
    Examples:
      notify suppress import bounces.csv --channel email --kind bounce --for 90d --reason "moved"
      notify suppress import - --reason "copy of the other record" < export.csv
    """
    actor = actor_of(reason)
    refused = _Refused()
    read = added = 0
    size = _size(file)
    with opened_record(load()) as store, _progress() as progress:
        now = store.clock()
        defaults = ImportDefaults(
            now=now, channel=channel, scope=scope, reason=kind, until=now + span if span else None
        )
        task = progress.add_task("importing", total=size, note="")
        lines = _lines(file, progress, task)
        items = read_csv(lines, defaults, refuse=refused)
        try:
            for step in import_entries(store, items, actor, now=now):
                read, added = read + step.read, added + step.added
                progress.update(task, note=f"{read:,} read, {added:,} added")
        except csv.Error:
            text = f"{name_of(file)} is not CSV after {read:,} rows; those are imported"
            raise NotifyError(text) from None
    if as_json:
        print_json({"read": read, "added": added, "refused": refused.count})
    else:
        click.echo(f"{read:,} entries read, {added:,} added; the others were on the list")
    if refused.count:
        raise NotifyError(f"{refused.count:,} rows were refused; the rest is imported")


@click.command()
@channel_option("Only this channel.")
@kind_option("Only entries with this reason.")
@scope_option("Only this scope.")
@click.option("--all", "ended", is_flag=True, help="Also entries that were lifted or have ended.")
def export(
    *,
    channel: Channel | None,
    kind: SuppressionReason | None,
    scope: str | None,
    ended: bool,
) -> None:
    """Write the entries in effect to standard output, as CSV, oldest first.

    There are no addresses in it, since the list has none: the column `hash` identifies a recipient.
    Another record can import it if both use the same keyring, or none.

    \b
    Examples:
      notify suppress export > suppressions.csv
      notify suppress export --channel email --kind complaint | wc -l
    """
    wanted = SuppressionFilter(channel=channel, reason=kind, scope=scope, ended=ended)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    with opened_record(load()) as store:
        writer.writerow(COLUMNS)
        for each in stream_suppressions(store, wanted):
            writer.writerow(csv_row(each))


def _lines(file: IO[bytes], progress: Progress, task: TaskID) -> Iterator[str]:
    """Yield the lines as text, and advance the progress by their bytes."""
    name = name_of(file)
    head = file.peek(4)[:4] if isinstance(file, io.BufferedReader) else b""
    refuse_foreign(head, name=name)
    for number, line in enumerate(file, 1):
        progress.advance(task, len(line))
        try:
            yield line.decode()
        except UnicodeDecodeError:
            text = f"{name}: line {number} is not UTF-8; earlier rows are imported"
            raise NotifyError(text) from None


def _size(file: IO[bytes]) -> int | None:
    if not file.seekable():
        return None
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    return size


def _progress() -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[note]}"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
