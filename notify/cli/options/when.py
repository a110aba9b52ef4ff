"""Times as operators write them: a span before or after now, or a time with its zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import click

from notify.store.db import Moment

_SPAN = re.compile(r"(\d{1,5})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_HINT = "write a span, as 90s, 15m, 2h, 3d or 1w, or a time with its zone"


def span_of(text: str) -> timedelta | None:
    """Return a span of time, such as `15m`; None if the text is not one."""
    span = _SPAN.fullmatch(text)
    return timedelta(**{_UNITS[span[2]]: int(span[1])}) if span else None


class When(click.ParamType[Moment]):
    """Parses `15m` as a time so long ago by the record's clock, or a time with its zone."""

    name = "when"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Moment:
        """Return the time, or how long ago it is."""
        if isinstance(value, datetime | timedelta):
            return value
        text = str(value)
        if (ago := span_of(text)) is not None:
            return ago
        try:
            when = datetime.fromisoformat(text)
            when.astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(f"{text!r} is not a time; {_HINT}, as 2025-01-31T09:00Z", param, ctx)
        if when.tzinfo is None:
            self.fail(f"{text!r} lacks its zone; {_HINT}, as 2025-01-31T09:00Z", param, ctx)
        return when


class Later(When):
    """Parses `15m` as a time so long from now, or a time with its zone."""

    name = "later"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return the time, by this machine's clock: no worker has seen it yet."""
        when = super().convert(value, param, ctx)
        return datetime.now(UTC) + when if isinstance(when, timedelta) else when
