"""Ids by their first digits; and the dead letters of an id that is not on record."""

from __future__ import annotations

import re
from collections.abc import Sequence
from uuid import UUID

import click

from notify.cli.console import Console
from notify.cli.dead import view
from notify.cli.output import print_json, print_whole
from notify.errors import NotifyError
from notify.status.dead_letters import letter_as_json
from notify.store import Store, ids_with_prefix
from notify.store.deadletters import DeadLetter, LetterFilter, find_letters

_DIGITS = re.compile(r"[0-9a-f]{4,32}")
_NAMED = 5
"""Ids that an error names at most."""
_LETTERS = 50


class IdPrefix(click.ParamType[str]):
    """Parses an id, or its first 4 hexadecimal digits or more."""

    name = "id"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Return the digits in lower case, without hyphens."""
        digits = str(value).lower().replace("-", "")
        if not _DIGITS.fullmatch(digits):
            self.fail(
                f"{value!r} is not an id; write a UUID, or its first 4 digits or more", param, ctx
            )
        return digits


def resolved(store: Store, digits: str) -> UUID:
    """
    Return the id that begins with *digits*.

    Raises:
        NotifyError: None does, or several do; the text names these.
    """
    if len(digits) == 32:
        return UUID(digits)
    with store.reading() as connection:
        found = ids_with_prefix(connection, digits, limit=_NAMED + 1)
    if not found:
        raise NotifyError(f"no id on record and none in the dead letters begins with {digits}")
    if len(found) > 1:
        names = ", ".join(map(str, found[:_NAMED])) + (", ..." if found[_NAMED:] else "")
        raise NotifyError(f"several ids begin with {digits}: {names}")
    return found[0]


def dead_letters_of(store: Store, id_: UUID, *, source: str | None) -> list[DeadLetter]:
    """Return the dead letters that request a notification or a batch, newest first."""
    with store.reading() as connection:
        wanted = LetterFilter(notification_id=id_, source=source)
        return find_letters(connection, wanted, limit=_LETTERS)


def print_letters(letters: Sequence[DeadLetter], *, as_json: bool) -> None:
    """Print dead letters without their content, and the command that shows it."""
    if as_json:
        print_json({"dead_letters": [letter_as_json(each) for each in letters]})
        return
    click.echo("It is not on record; it is in the dead letters:")
    for each in letters:
        click.echo()
        print_whole(Console(), view.facts(each))
    click.echo(f"\nnotify dead show {letters[0].id} shows its body and properties", err=True)
