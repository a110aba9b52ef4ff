"""Mending a dead letter: another body, typed or from a file, or another routing key."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import click

from notify.errors import NotifyError
from notify.store.deadletters import ArchivedLetter, Edit


@dataclass(frozen=True, slots=True)
class EditRequest:
    """What an operator wants changed."""

    edit: bool = False
    body: bytes | None = None
    key: str | None = None

    def __bool__(self) -> bool:
        """Tell whether anything is to be changed."""
        return self.edit or self.body is not None or self.key is not None

    def check(self, *, chosen: int) -> None:
        """Raise a usage error where it does not fit what was chosen."""
        if self and chosen != 1:
            raise click.UsageError("--edit, --body and --key mend one dead letter: give its ID")
        if self.edit and self.body is not None:
            raise click.UsageError("--edit and --body exclude each other")

    def of(self, held: ArchivedLetter, *, wrong: Callable[[Edit], str]) -> Edit:
        """
        Make the mended letter; let a person edit it until it can be sent, or until they give up.

        Args:
            wrong: Tells why a mended letter could not be sent; nothing if it could.
        """
        before = held.mending or Edit(held.id, held.body, held.routing_key)
        body = before.body if self.body is None else self.body
        mending = Edit(held.id, body, self.key or before.key)
        again = self.edit
        while again:
            mending = replace(mending, body=edited(mending.body))
            why = wrong(mending)
            if why:
                click.echo(f"it cannot be sent yet: {why}", err=True)
            again = bool(why) and sys.stdin.isatty() and click.confirm("Edit it again?")
        return mending


def edited(body: bytes) -> bytes:
    """Let a person change bytes in $EDITOR, in a file that nobody else may read."""
    with tempfile.TemporaryDirectory(prefix="notify-") as folder:
        file = Path(folder) / "body.json"
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(body)
        try:
            click.edit(filename=str(file))
        except click.ClickException as error:
            raise NotifyError(f"{error.message}; set $EDITOR, or give --body FILE") from None
        return file.read_bytes()
