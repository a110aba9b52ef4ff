"""The options that filter notifications and dead letters."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import wraps
from typing import Any

import click

from notify.cli.options.given import NUMBER
from notify.cli.options.when import When
from notify.contract import normal_form
from notify.message import Channel, Status
from notify.store import Filter

Command = Callable[..., None]
"""A command's function, before or after options are added."""


def channel_option(text: str) -> Callable[[Command], Command]:
    """Return the option `--channel`, as a `Channel` or None, with *text* as its help."""
    return click.option(
        "--channel",
        type=click.Choice([channel.value for channel in Channel]),
        callback=lambda _context, _option, value: Channel(value) if value else None,
        help=text,
    )


ROUTE: list[Callable[[Command], Command]] = [
    channel_option("Only this channel."),
    click.option("--lane", metavar="NAME", help="Only this lane, such as critical."),
    click.option("--source", metavar="NAME", help="Only from this producing service."),
]
"""The options that filter by the parts of a routing key."""

template_option = click.option("--template", metavar="NAME", help="Only with this template.")


source_option = click.option(
    "--source",
    metavar="NAME",
    help="The notification's source, needed if several sources use the ID.",
)

newest_option = click.option(
    "--limit",
    type=NUMBER,
    metavar="NUMBER",
    default=50,
    show_default=True,
    help="List at most the newest NUMBER.",
)


def period(verb: str) -> list[Callable[[Command], Command]]:
    """Return the options of a period in which something was *verb*, such as `received`."""
    return [
        click.option(
            "--since",
            type=When(),
            metavar="WHEN",
            help=f"Only {verb} since then: 15m, 2h or 3d ago, or 2025-01-31T09:00Z.",
        ),
        click.option(
            "--until",
            type=When(),
            metavar="WHEN",
            help=f"Only {verb} before then; written as for --since.",
        ),
    ]


def grouped(
    options: Sequence[Callable[[Command], Command]],
    values: Collection[str],
    into: Callable[..., Any],
    *,
    name: str,
) -> Callable[[Command], Command]:
    """
    Return a decorator that adds options to a command, which receives their values as one object.

    Args:
        options: The options, in the order of the help.
        values: The parameters that click would pass for them.
        into: Builds the object from these, given by keyword.
        name: The command's parameter for it.
    """

    def decorate(command: Command) -> Command:
        @wraps(command)
        def run(**given: Any) -> None:
            built = into(**{value: given.pop(value) for value in values})
            command(**{name: built}, **given)

        decorated: Command = run
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return decorate


filters = grouped(
    [
        *ROUTE,
        click.option(
            "--status",
            type=click.Choice([status.value for status in Status]),
            callback=lambda _context, _option, value: Status(value) if value else None,
            help="Only with this status.",
        ),
        template_option,
        click.option("--category", metavar="NAME", help="Only of this category."),
        click.option(
            "--to",
            "recipient",
            metavar="RECIPIENT",
            callback=lambda _context, _option, value: normal_form(value) if value else None,
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
    name="wanted",
)
"""Adds the options that filter notifications to a command, which receives them as `wanted`."""
