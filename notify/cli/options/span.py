"""How long something is to last, as operators write it."""

from __future__ import annotations

from datetime import timedelta

import click

from notify.cli.options.when import span_of


class Span(click.ParamType[timedelta]):
    """Reads `90s`, `30m`, `2h`, `3d` or `1w` as a span of time."""

    name = "span"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        """Give the span; none is as short as nothing."""
        span = value if isinstance(value, timedelta) else span_of(str(value))
        if not span:
            hint = "write it as 90s, 30m, 2h, 3d or 1w"
            self.fail(f"{value!r} is no span of time; {hint}", param, ctx)
        return span
