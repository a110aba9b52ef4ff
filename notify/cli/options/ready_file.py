"""The file that a process in the foreground writes once it is ready."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click


def ready_file_option(moment: str) -> Callable[[Any], Any]:
    """
    Return the option `--ready-file`; its value is the function to call at the moment.

    Args:
        moment: When that is, such as `requests are accepted`.
    """
    return click.option(
        "--ready-file",
        "ready",
        type=click.Path(path_type=Path, dir_okay=False),
        callback=lambda _ctx, _param, path: _writer(path),
        help=f"Write this file when {moment}.",
    )


def _writer(path: Path | None) -> Callable[[], None]:
    def ready() -> None:
        if path is not None:
            path.write_text("ready\n", encoding="utf-8")

    return ready
