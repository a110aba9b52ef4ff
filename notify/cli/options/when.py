"""Times as people write them: how long ago or from now, or a moment with its zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import click

from notify.store.db import Moment

_SPAN = re.compile(r"(\d{1,5})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_HINT = "write how long, as 90s, 15m, 2h, 3d or 1w, or a time with its zone"


def span_of(text: str) -> timedelta | None:
    """Read a span of time, such as `15m`; None where it is none."""
    span = _SPAN.fullmatch(text)
    return timedelta(**{_UNITS[span[2]]: int(span[1])}) if span else None


class When(click.ParamType[Moment]):
    """Reads `15m` as so long ago by the record's clock, `2025-01-31T09:00+01:00` as that moment."""

    name = "when"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Moment:
        """Return the moment, or how long ago it is."""
        if isinstance(value, datetime | timedelta):
            return value
        text = str(value)
        if (ago := span_of(text)) is not None:
            return ago
        try:
            when = datetime.fromisoformat(text)
            when.astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(f"{text!r} is no time; {_HINT}, as 2025-01-31T09:00Z", param, ctx)
        if when.tzinfo is None:
            self.fail(f"{text!r} lacks its zone; {_HINT}, as 2025-01-31T09:00Z", param, ctx)
        return when


class Later(When):
    """Reads `15m` as a moment so long from now, and a time with its zone as that one."""

    name = "later"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return the moment, by this machine's clock: no worker has seen it yet."""
        when = super().convert(value, param, ctx)
        return datetime.now(UTC) + when if isinstance(when, timedelta) else when
