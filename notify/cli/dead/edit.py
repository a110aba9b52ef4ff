"""Editing a dead letter before its replay: another body, typed or from a file, or another key."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Self

import click

from notify.cli.options.filters import grouped
from notify.errors import NotifyError
from notify.store.deadletters import ArchivedLetter, Edit


@dataclass(frozen=True, slots=True)
class EditRequest:
    """The edits that an operator requests."""

    in_editor: bool = False
    body: bytes | None = None
    key: str | None = None

    @classmethod
    def of_options(cls, *, edit: bool, body: IO[bytes] | None, key: str | None) -> Self:
        """Return the request that the options describe."""
        return cls(edit, body.read() if body else None, key)

    def __bool__(self) -> bool:
        """Whether there is anything to edit."""
        return self.in_editor or self.body is not None or self.key is not None

    def check(self, *, chosen: int) -> None:
        """
        Check that the options go together.

        Raises:
            click.UsageError: They do not.
        """
        if self and chosen != 1:
            raise click.UsageError("--edit, --body and --key edit one dead letter: give its ID")
        if self.in_editor and self.body is not None:
            raise click.UsageError("--edit and --body exclude each other")

    def edited(self, letter: ArchivedLetter, *, problem: Callable[[Edit], str]) -> Edit:
        """
        Return the edited letter; an operator may edit it until it can be sent, or give up.

        Args:
            problem: Returns why an edited letter cannot be sent; empty if it can.
        """
        before = letter.edit or Edit(letter.id, letter.body, letter.routing_key)
        body = before.body if self.body is None else self.body
        edit = Edit(letter.id, body, self.key or before.key)
        again = self.in_editor
        while again:
            edit = replace(edit, body=in_editor(edit.body))
            why = problem(edit)
            if why:
                click.echo(f"it cannot be sent yet: {why}", err=True)
            again = bool(why) and sys.stdin.isatty() and click.confirm("Edit it again?")
        return edit


edit_options = grouped(
    [
        click.option("--edit", is_flag=True, help="Edit the body of the one ID in $EDITOR first."),
        click.option(
            "--body",
            type=click.File("rb"),
            metavar="FILE",
            help="Send this body instead, for one ID. - reads standard input.",
        ),
        click.option("--key", metavar="KEY", help="Send it to this routing key, for one ID."),
    ],
    ["edit", "body", "key"],
    EditRequest.of_options,
    name="edit",
)
"""Adds the options that edit a dead letter to a command, which receives them as `edit`."""


def in_editor(body: bytes) -> bytes:
    """
    Return a body as an operator has edited it in $EDITOR, in a file that only they may read.

    Raises:
        NotifyError: The editor cannot be started.
    """
    with tempfile.TemporaryDirectory(prefix="notify-") as folder:
        file = Path(folder) / "body.json"
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(body)
        try:
            click.edit(filename=str(file))
        except click.ClickException as error:
            raise NotifyError(f"{error.message}; set $EDITOR, or give --body FILE") from None
        return file.read_bytes()
