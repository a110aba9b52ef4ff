"""The drills' results, as lines and as the table in docs/guarantees.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path

from tests.faults.run import Result

BEGIN = "<!-- drills: written by make faults -->"
END = "<!-- end of drills -->"
_HEAD = (
    "| fault | published | lost | ended twice | sent twice, park | sent twice, resend (allowed)"
    " | unknown, parked | resumed after |\n|---|---:|---:|---:|---:|---:|---:|---:|"
)


def line(result: Result) -> str:
    """Return one drill's result in a line."""
    found = result.findings
    if found is None:
        return f"NONE {result.drill.name:42} not played: {result.obstacle}"
    return (
        f"{'ok  ' if result.good else 'FAIL'} {result.drill.name:42}"
        f" published={found.published} lost={found.lost} double_terminal={found.double_terminal}"
        f" duplicates_park={found.duplicates_park}"
        f" duplicates_resend={found.duplicates_resend}/{found.allowed} unknown={found.unknown}"
        f" resumed={_seconds(result.resumed)} took={result.took:.0f}s"
    )


def table(results: Sequence[Result]) -> str:
    """Return all results as a Markdown table."""
    return "\n".join([_HEAD, *map(_row, results)])


def _row(result: Result) -> str:
    found = result.findings
    if found is None:
        return f"| {result.drill.name} | not played: {result.obstacle} | | | | | | |"
    return (
        f"| {result.drill.name} | {found.published:,} | {found.lost} | {found.double_terminal}"
        f" | {found.duplicates_park} | {found.duplicates_resend} ({found.allowed})"
        f" | {found.unknown} | {_seconds(result.resumed)} |"
    )


def last_line(results: Sequence[Result]) -> str:
    """Return the sums in one line, with the number of drills that could not be played, if any."""
    found = [result.findings for result in results if result.findings is not None]
    missed = len(results) - len(found)
    return (
        f"faults={len(results)} lost={sum(each.lost for each in found)}"
        f" double_terminal={sum(each.double_terminal for each in found)}"
        f" duplicates_park={sum(each.duplicates_park for each in found)}"
        f" duplicates_resend={sum(each.duplicates_resend for each in found)}"
        f" allowed={sum(each.allowed for each in found)}{f' not_played={missed}' if missed else ''}"
    )


def write(path: Path, results: Sequence[Result]) -> None:
    """Replace the table between the two marks of a page."""
    minutes = sum(result.took for result in results) / 60
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, {minutes:.0f} minutes"
    put(path, f"{table(results)}\n\n`{last_line(results)}`\n\n{machine}.", between=(BEGIN, END))


def put(path: Path, text: str, *, between: tuple[str, str]) -> None:
    """Replace the text between two marks of a page."""
    begin, end = between
    before, _, rest = path.read_text().partition(begin)
    _, _, after = rest.partition(end)
    path.write_text(f"{before}{begin}\n{text}\n{end}{after}")


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f} s"
