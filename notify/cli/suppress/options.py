"""The options that the commands of the suppression list share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from notify.channels import CHANNELS
from notify.cli.options.given import first_line_of_stdin
from notify.contract import normal_form
from notify.message import Channel
from notify.suppression import SuppressionReason, is_scope


def _kind(_context: Any, _option: Any, value: str | None) -> SuppressionReason | None:
    return SuppressionReason(value) if value else None


def kind_option(text: str, *, default: SuppressionReason | None = None) -> Callable[[Any], Any]:
    """Return the option `--kind`, a reason of the list, as `kind`."""
    return click.option(
        "--kind",
        type=click.Choice([each.value for each in SuppressionReason]),
        default=default.value if default else None,
        show_default=default is not None,
        callback=_kind,
        help=text,
    )


def _scope(_context: Any, _option: Any, value: str | None) -> str | None:
    if value is not None and not is_scope(value):
        raise click.BadParameter("write all, source:NAME, category:NAME or sender:NUMBER")
    return value


def scope_option(text: str, *, default: str | None = None) -> Callable[[Any], Any]:
    """Return the option `--scope`, checked."""
    return click.option(
        "--scope",
        metavar="SCOPE",
        default=default,
        show_default=default is not None,
        callback=_scope,
        help=text,
    )


def recipient_of(given: str) -> str:
    """
    Return the normal form of a recipient that an operator typed; `-` reads it from stdin.

    Raises:
        click.UsageError: It is empty.
    """
    text = first_line_of_stdin() if given == "-" else given
    if not text.strip():
        raise click.UsageError("the recipient is empty")
    return normal_form(text)


def channel_of(recipient: str, channel: Channel | None) -> Channel:
    """
    Return the channel of an address: the given one, or the likely one.

    Raises:
        click.UsageError: It is not an address of the channel.
    """
    fitting = [each for each in Channel if CHANNELS[each].looks_like_address(recipient)]
    chosen = channel or next(iter(fitting), None)
    if chosen not in fitting or not CHANNELS[chosen].is_address(recipient):
        raise click.UsageError(f"the recipient is not an address of {chosen or 'any channel'}")
    return chosen
