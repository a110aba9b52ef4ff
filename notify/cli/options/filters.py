"""The options that choose notifications or dead letters, and the values that people give them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import wraps
from typing import Any

import click

from notify.cli.options.given import NUMBER
from notify.cli.options.when import When
from notify.contract import reading
from notify.message import Channel, Status
from notify.store import Filter

Command = Callable[..., None]
"""What a command does, before or after options were added."""

WHOSE = [
    click.option(
        "--channel",
        type=click.Choice([channel.value for channel in Channel]),
        callback=lambda _context, _option, value: Channel(value) if value else None,
        help="Only this channel.",
    ),
    click.option("--lane", metavar="NAME", help="Only this lane, such as critical."),
    click.option("--source", metavar="NAME", help="Only from this producing service."),
]
"""The options that the routing key answers."""

template_option = click.option("--template", metavar="NAME", help="Only what names this template.")


source_option = click.option(
    "--source", metavar="NAME", help="Whose notification it is, where several sources use the ID."
)

newest_option = click.option(
    "--limit",
    type=NUMBER,
    default=50,
    show_default=True,
    help="List at most so many, the newest.",
)


def period(happened: str) -> list[Callable[[Command], Command]]:
    """Make the options of a period in which something *happened*, such as `received`."""
    return [
        click.option(
            "--since",
            type=When(),
            metavar="WHEN",
            help=f"Only what was {happened} from then on: 15m, 2h or 3d ago, or 2025-01-31T09:00Z.",
        ),
        click.option(
            "--until",
            type=When(),
            metavar="WHEN",
            help=f"Only what was {happened} before then; written as for --since.",
        ),
    ]


def chosen(
    options: Sequence[Callable[[Command], Command]],
    names: Collection[str],
    into: Callable[..., Any],
) -> Callable[[Command], Command]:
    """
    Make a decorator that gives a command options; it gets their values as one, `wanted`.

    Args:
        options: The options, in the order of the help.
        names: What the options' values are called.
        into: Makes one of them.
    """

    def decorate(command: Command) -> Command:
        @wraps(command)
        def run(**values: Any) -> None:
            wanted = into(**{name: values.pop(name) for name in names})
            command(wanted=wanted, **values)

        given: Command = run
        for option in reversed(options):
            given = option(given)
        return given

    return decorate


filters = chosen(
    [
        *WHOSE,
        click.option(
            "--status",
            type=click.Choice([status.value for status in Status]),
            callback=lambda _context, _option, value: Status(value) if value else None,
            help="Only what has this status.",
        ),
        template_option,
        click.option(
            "--to",
            "recipient",
            metavar="RECIPIENT",
            callback=lambda _context, _option, value: reading(value) if value else None,
            help="Only to this email address, phone number or device token.",
        ),
        click.option(
            "--batch",
            "batch_id",
            type=click.UUID,
            metavar="ID",
            help="Only the recipients of this batch.",
        ),
        *period("received"),
    ],
    Filter.__dataclass_fields__,
    Filter,
)
"""Gives a command the options that choose notifications; it gets them as `wanted`."""
