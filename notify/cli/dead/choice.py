"""What an operator chooses: the options that all commands on dead letters share."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

import click

from notify.cli.options.actor import myself
from notify.cli.options.filters import WHOSE, Command, chosen, period, template_option
from notify.cli.options.given import NUMBER
from notify.errors import NotifyError
from notify.store import Actor, Store
from notify.store.deadletters import Cause, LetterFilter, LetterState, search

letters = chosen(
    [
        *WHOSE,
        template_option,
        click.option(
            "--cause",
            type=click.Choice([cause.value for cause in Cause]),
            callback=lambda _context, _option, value: Cause(value) if value else None,
            help="Only what died of this.",
        ),
        click.option(
            "--code", metavar="CODE", help="Only with this provider code, such as 21211 or 503."
        ),
        click.option(
            "--notification",
            "notification_id",
            type=click.UUID,
            metavar="ID",
            help="Only what asks for this notification or batch.",
        ),
        *period("archived"),
        click.option(
            "--text",
            metavar="WORDS",
            help="Only with these words in the reason, the routing key or the message id, or"
            " exactly so in the body; an address or number in any spelling.",
        ),
    ],
    [
        *("channel", "lane", "source", "template", "cause"),
        *("code", "notification_id", "since", "until", "text"),
    ],
    LetterFilter,
)
"""Gives a command the options that choose dead letters; it gets them as `wanted`."""

ids_argument = click.argument("ids", metavar="[ID]...", type=NUMBER, nargs=-1)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
limit_option = click.option(
    "--limit",
    type=NUMBER,
    metavar="NUMBER",
    help="At most so many dead letters, the oldest.",
)
yes_option = click.option("--yes", is_flag=True, help="Do not ask; for scripts.")
reason_option = click.option(
    "--reason", required=True, metavar="TEXT", help="Why you do it; kept in the audit."
)


def pace(command: Command) -> Command:
    """Give a command the options of a replay's pace."""
    rate = click.option(
        "--rate",
        type=click.FloatRange(min=0.001),
        default=10.0,
        metavar="NUMBER",
        show_default="10",
        help="Notifications a second, for each channel.",
    )
    unknown = click.option(
        "--include-unknown",
        is_flag=True,
        help="Replay those too of which nobody knows if they were sent, as possible duplicates.",
    )
    return rate(unknown(command))


@dataclass(frozen=True, slots=True)
class Choice:
    """Which dead letters that wait an operator has chosen, and at most how many."""

    ids: Sequence[int]
    wanted: LetterFilter
    limit: int | None = None

    def find(self, store: Store) -> list[int]:
        """Find them, oldest first."""
        wanted = replace(self.wanted, state=LetterState.WAITING, ids=self.ids or None)
        with store.reading() as connection:
            return search.find_letter_ids(connection, wanted, limit=self.limit)

    def none(self, store: Store) -> str:
        """Tell why there is none."""
        if not self.ids:
            return "no dead letter that waits matches"
        with store.reading() as connection:
            found = search.find_letters(connection, LetterFilter(ids=self.ids), limit=5)
        told = "; ".join(f"dead letter {each.id} is {each.state}" for each in found)
        return told or "there is no dead letter with this ID"


def actor_of(reason: str) -> Actor:
    """Name who runs the command, with the reason that was given."""
    if not reason.strip():
        raise click.UsageError("--reason is empty: say why")
    return Actor(myself(), reason)


def confirm(question: str, *, yes: bool) -> None:
    """Ask, unless *yes* was given; raises what ends the command where the answer is no."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("nobody is there to ask: give --yes")
    if not click.confirm(question):
        raise NotifyError("nothing was changed")
