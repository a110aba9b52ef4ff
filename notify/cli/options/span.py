"""Spans of time, as operators write them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import click

from notify.cli.options.when import span_of


class Span(click.ParamType[timedelta]):
    """Parses `90s`, `30m`, `2h`, `3d` or `1w`."""

    name = "span"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        """Return the span; zero is refused."""
        span = value if isinstance(value, timedelta) else span_of(str(value))
        if not span:
            hint = "write it as 90s, 30m, 2h, 3d or 1w"
            self.fail(f"{value!r} is not a span of time; {hint}", param, ctx)
        return span


def span_option(end: str) -> Callable[[Any], Any]:
    """
    Return the option `--for` of an override, as `span`.

    Args:
        end: What ends an override without it, such as `it is released`.
    """
    return click.option(
        "--for",
        "span",
        type=Span(),
        metavar="SPAN",
        help=f"End after 90s, 30m, 2h or 3d; by default it stays in force until {end}.",
    )
