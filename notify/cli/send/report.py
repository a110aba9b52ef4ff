"""The report on requests while they are published, for operators or as JSON."""

from __future__ import annotations

import os
import stat
import sys
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from dataclasses import asdict
from typing import IO, Self

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from notify.cli.console import Console
from notify.cli.send.results import Result, Source
from notify.status.plain import to_json
from notify.telemetry.terminal import on_one_line

_HOPELESS = 256
"""Unconfirmed messages in a row, a whole window, after which the broker counts as away."""
_GOOD = {"confirmed", "valid"}
_STEP = 100


class SendReport:
    """
    Prints failures as they occur, and a summary at the end; as JSON, every result and nothing else.

    Attributes:
        bad: How many requests failed; one more if publishing was stopped early.
    """

    def __init__(self, file: IO[bytes] | None, *, as_json: bool) -> None:
        self.bad = 0
        self._file = file
        self._as_json = as_json
        self._counts: Counter[str] = Counter()
        self._unread = False
        self._begun = time.monotonic()
        self._context = ExitStack()
        self._progress: Progress | None = None

    def __enter__(self) -> Self:
        if self._file is not None and not self._as_json and sys.stderr.isatty():
            self._progress = self._context.enter_context(
                Progress(
                    BarColumn(),
                    MofNCompleteColumn(),
                    TextColumn("{task.fields[failures]}"),
                    TimeRemainingColumn(),
                    console=Console(stderr=True),
                    transient=True,
                )
            )
            self._progress.add_task("", total=_lines(self._file), failures="")
        return self

    def __exit__(self, *_: object) -> None:
        self._context.close()

    def consume(self, results: Iterable[Result], source: Source) -> None:
        """Report each result, then the total; stop the source if the broker accepts nothing."""
        unconfirmed = 0
        try:
            for result in results:
                self._report(result)
                unconfirmed = unconfirmed + 1 if result.status == "unconfirmed" else 0
                if unconfirmed == _HOPELESS:
                    source.stop(f"the broker confirmed none of the last {_HOPELESS}")
                if self._unread:
                    source.stop("the output is closed")
        except KeyboardInterrupt:
            source.stop("interrupted")
            self._line("requests that were not confirmed yet may have been published")
        self._context.close()
        self._summary(source)

    def _report(self, result: Result) -> None:
        self._counts[result.status] += 1
        self.bad += result.status not in _GOOD
        if self._as_json:
            values = asdict(result)
            if not result.note:
                del values["note"]
            self._print(to_json(values))
        elif result.error:
            place = f"line {result.line}: " if result.line else ""
            name = "" if result.id in result.error else f"{result.id}: "
            self._line(on_one_line(f"{place}{name}{result.error}"))
        elif self._file is None:
            self._print(f"{result.id} {result.status}" + (f", {result.note}" * bool(result.note)))
        if self._progress and not self._counts.total() % _STEP:
            failures = f"{self.bad} failed" if self.bad else ""
            task = self._progress.task_ids[0]
            self._progress.update(task, completed=self._counts.total(), failures=failures)

    def _summary(self, source: Source) -> None:
        took = time.monotonic() - self._begun
        counts = ", ".join(f"{count:,} {status}" for status, count in self._counts.items())
        rate = f", {self._counts.total() / took:,.0f} a second" if took > 1 else ""
        if self._file is not None and not self._as_json:
            self._print(f"{counts or 'no requests'} in {took:.1f} s{rate}")
        if source.stopped:
            self.bad += 1
            after = f"nothing after line {source.last}" if source.last else "nothing"
            self._line(f"stopped: {source.stopped}; {after} was published")
        if self._unread:
            self._line(counts or "no requests")

    def _print(self, text: str) -> None:
        """Print a line of the result; its reader may close the pipe before the end."""
        try:
            click.echo(text)
        except OSError:
            self._unread = True

    def _line(self, text: str) -> None:
        if self._progress:
            self._progress.console.print(text, markup=False, highlight=False, soft_wrap=True)
            return
        with suppress(OSError):
            click.echo(text, err=True)


def _lines(file: IO[bytes]) -> int | None:
    """Return the lines of a regular file; None for a stream, which cannot be read twice."""
    try:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return None
    except OSError:
        return None
    count = sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))
    file.seek(0)
    return count
