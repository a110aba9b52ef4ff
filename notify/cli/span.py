"""How long something is to last, as operators write it."""

from __future__ import annotations

import re
from datetime import timedelta

import click

_SPAN = re.compile(r"(\d{1,5})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Span(click.ParamType[timedelta]):
    """Reads `90s`, `30m`, `2h`, `3d` or `1w` as a span of time."""

    name = "span"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        """Give the span."""
        if isinstance(value, timedelta):
            return value
        match = _SPAN.fullmatch(str(value))
        if match is None or not int(match[1]):
            self.fail(
                f"{value!r} is no span of time; write it as 90s, 30m, 2h, 3d or 1w", param, ctx
            )
        return timedelta(**{_UNITS[match[2]]: int(match[1])})
