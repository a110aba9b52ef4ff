"""Asking before a change, unless a script says yes."""

from __future__ import annotations

import sys

import click

from notify.errors import NotifyError

yes_option = click.option("--yes", is_flag=True, help="Do not ask; for scripts.")


def confirm(question: str, *, yes: bool) -> None:
    """
    Ask the operator, unless *yes* is set.

    Raises:
        click.UsageError: There is no terminal to ask on.
        NotifyError: The answer is no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("standard input is not a terminal: give --yes")
    if not click.confirm(question):
        raise NotifyError("nothing was changed")
