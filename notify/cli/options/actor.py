"""The operator who runs a command and the reason for it, for the audit."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Callable
from typing import Any

import click

from notify.store import Actor


def operator() -> str:
    """Return the operator, also behind sudo, and the machine: `ann@ops-1`."""
    try:
        user = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    # The environment may contain any bytes; the record stores text.
    user = user.encode(errors="backslashreplace").decode()
    return f"{user}@{socket.gethostname()}"


def reason_option(
    text: str = "Why; kept in the audit.", *, required: bool = True
) -> Callable[[Any], Any]:
    """Return the option `--reason` with *text* as its help; if not required, it may be empty."""
    if required:
        return click.option("--reason", required=True, metavar="TEXT", help=text)
    return click.option("--reason", default="", metavar="TEXT", help=text)


def actor_of(reason: str, *, hint: str = "say why") -> Actor:
    """
    Return who runs the command, with the reason that was given.

    Raises:
        click.UsageError: The reason is empty.
    """
    if not reason.strip():
        raise click.UsageError(f"--reason is empty: {hint}")
    return Actor(operator(), reason)
