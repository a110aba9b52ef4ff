"""Rich's console and table for all commands: text cannot send control codes to a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any, cast

from rich import console, table
from rich.console import ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from notify.telemetry.terminal import escaped, on_one_line, styled


class Console(console.Console):
    """A console on standard output, or with `stderr` on standard error."""

    def __init__(self, *, stderr: bool = False, **options: Any) -> None:
        file = options.pop("file", sys.stderr if stderr else sys.stdout)
        super().__init__(file=styled(file), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render with all text escaped; only rich's own control codes pass."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield segment._replace(text=escaped(segment.text))


class Table(table.Table):
    """A table whose cells are plain text on one line: no markup, no line breaks from data."""

    @classmethod
    def grid(cls, *headers: table.Column | str, **options: Any) -> Table:
        """Return a table without lines and titles."""
        return cast("Table", super().grid(*headers, **options))

    def add_row(self, *cells: RenderableType | None, **options: Any) -> None:
        """Add a row."""
        super().add_row(*(_plain(cell) for cell in cells), **options)


def _plain(cell: RenderableType | None) -> RenderableType | None:
    if isinstance(cell, str):
        return Text(on_one_line(cell))
    if isinstance(cell, Text) and (safe := on_one_line(cell.plain)) != cell.plain:
        return Text(safe, cell.style)
    return cell
