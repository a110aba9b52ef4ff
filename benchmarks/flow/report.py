"""The scenes' results, as lines and as the table in benchmarks/README.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Sequence

from benchmarks.flow.figures import Figure, Result

BEGIN = "<!-- flow: written by make bench-flow -->"
END = "<!-- end of flow -->"
_HEAD = "| scene | what | measured | target |\n|---|---|---:|---:|"


def line(result: Result) -> str:
    """Return one scene's result in a line."""
    told = "  ".join(_told(figure) for figure in result.figures)
    return f"{'ok  ' if result.good else 'FAIL'} {result.name:32} {told}  took={result.took:.0f}s"


def table(results: Sequence[Result]) -> str:
    """Return all figures as a Markdown table."""
    return "\n".join([_HEAD, *(row for result in results for row in _rows(result))])


def last_line(results: Sequence[Result]) -> str:
    """Return the sums in one line."""
    missed = sum(not figure.good for result in results for figure in result.figures)
    return (
        f"flow: scenes={len(results)} failed={sum(not result.good for result in results)}"
        f" figures={sum(len(result.figures) for result in results)} missed={missed}"
    )


def section(results: Sequence[Result]) -> str:
    """Write the text between the marks of the page."""
    minutes = sum(result.took for result in results) / 60
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, {minutes:.0f} minutes"
    return f"{table(results)}\n\n`{last_line(results)}`\n\n{machine}."


def _told(figure: Figure) -> str:
    bound = f" ({figure.target})" if figure.target else ""
    mark = "" if figure.good else " !"
    return f"{figure.name.replace(' ', '_')}={figure.measured.replace(' ', '')}{bound}{mark}"


def _rows(result: Result) -> Iterator[str]:
    name = result.name
    for figure in result.figures:
        measured = figure.measured if figure.good else f"**{figure.measured}**"
        yield f"| {name} | {figure.name} | {measured} | {figure.target} |"
        name = ""
    if result.faults:
        yield f"| {name} | what went wrong besides | **{len(result.faults)}** | 0 |"
