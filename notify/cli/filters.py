"""The options that choose notifications, and the values that people give them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import reduce, wraps
from typing import Any

import click

from notify.message import Channel, Status
from notify.store import Filter

_AGO = re.compile(r"(\d{1,5})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_HINT = "write how long ago, as 90s, 15m, 2h, 3d or 1w, or a time with its zone"


class When(click.ParamType[datetime | timedelta]):
    """Reads `15m` as a span of time before now, and `2025-01-31T09:00+01:00` as that time."""

    name = "when"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime | timedelta:
        """Give the time, or the span to be subtracted from now."""
        if isinstance(value, datetime | timedelta):
            return value
        text = str(value)
        if ago := _AGO.fullmatch(text):
            return timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        try:
            when = datetime.fromisoformat(text)
        except ValueError:
            self.fail(f"{text!r} is no time; {_HINT}, as 2025-01-31T09:00Z", param, ctx)
        if when.tzinfo is None:
            self.fail(f"{text!r} lacks its zone; {_HINT}, as 2025-01-31T09:00Z", param, ctx)
        return when


_OPTIONS = [
    click.option(
        "--channel",
        type=click.Choice([channel.value for channel in Channel]),
        callback=lambda _context, _option, value: Channel(value) if value else None,
        help="Only this channel.",
    ),
    click.option("--lane", metavar="NAME", help="Only this lane, such as critical."),
    click.option("--source", metavar="NAME", help="Only from this producing service."),
    click.option(
        "--status",
        type=click.Choice([status.value for status in Status]),
        callback=lambda _context, _option, value: Status(value) if value else None,
        help="Only what has this status.",
    ),
    click.option("--template", metavar="NAME", help="Only what names this template."),
    click.option(
        "--to",
        "recipient",
        metavar="RECIPIENT",
        callback=lambda _context, _option, value: as_kept(value) if value else None,
        help="Only to this email address, phone number or device token.",
    ),
    click.option(
        "--batch",
        "batch_id",
        type=click.UUID,
        metavar="ID",
        help="Only the recipients of this batch.",
    ),
    click.option(
        "--since",
        type=When(),
        metavar="WHEN",
        help="Only what was received from then on: 15m, 2h or 3d ago, or 2025-01-31T09:00Z.",
    ),
    click.option(
        "--until",
        type=When(),
        metavar="WHEN",
        help="Only what was received before then; written as for --since.",
    ),
]


def filters(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that choose notifications; it gets them as `wanted`."""

    @wraps(command)
    def run(**values: Any) -> None:
        chosen = {name: values.pop(name) for name in Filter.__dataclass_fields__}
        now = datetime.now(UTC)
        for name in ("since", "until"):
            if isinstance(chosen[name], timedelta):
                chosen[name] = now - chosen[name]
        command(wanted=Filter(**chosen), **values)

    return reduce(lambda wrapped, option: option(wrapped), reversed(_OPTIONS), run)


def as_kept(recipient: str) -> str:
    """Write a recipient as the contract keeps it: domains in lower case, numbers in digits."""
    if recipient.startswith("+"):
        return "+" + "".join(filter(str.isdigit, recipient))
    local, at, domain = recipient.rpartition("@")
    return f"{local}@{domain.lower()}" if at else recipient
