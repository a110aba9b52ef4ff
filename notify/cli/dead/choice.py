"""The options that all commands on dead letters share: which letters, and how to replay them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import click

from notify.cli.options.filters import ROUTE, grouped, period, template_option
from notify.cli.options.given import NUMBER
from notify.cli.options.number import NumberRange
from notify.errors import NotifyError
from notify.plans import MOST_AT_ONCE
from notify.store import Store
from notify.store.deadletters import Cause, LetterFilter, LetterState, find_letter_ids, find_letters

letters = grouped(
    [
        *ROUTE,
        template_option,
        click.option(
            "--cause",
            type=click.Choice([cause.value for cause in Cause]),
            callback=lambda _context, _option, value: Cause(value) if value else None,
            help="Only letters with this cause.",
        ),
        click.option(
            "--code", metavar="CODE", help="Only with this provider code, such as 21211 or 503."
        ),
        click.option(
            "--notification",
            "notification_id",
            type=click.UUID,
            metavar="ID",
            help="Only letters that request this notification or batch.",
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
    name="wanted",
)
"""Adds the options that filter dead letters to a command, which receives them as `wanted`."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The waiting dead letters that an operator has chosen, and at most how many of them."""

    ids: Sequence[int]
    wanted: LetterFilter
    limit: int | None = None

    def find(self, store: Store) -> list[int]:
        """Return the ids of the letters, oldest first."""
        wanted = replace(self.wanted, state=LetterState.WAITING, ids=self.ids or None)
        with store.reading() as connection:
            return find_letter_ids(connection, wanted, limit=self.limit)

    def find_few(self, store: Store, *, action: str) -> list[int]:
        """
        Return the ids of the letters, oldest first, for an action without a plan.

        Raises:
            NotifyError: They are too many for one.
        """
        found = self.find(store)
        if len(found) > MOST_AT_ONCE:
            raise NotifyError(
                f"{len(found):,} dead letters match, and at most {MOST_AT_ONCE:,} can be changed"
                f" at once: use `notify plan new {action}` with these filters, or --limit"
            )
        return found

    def why_none(self, store: Store) -> str:
        """Return why `find` finds no letter."""
        if not self.ids:
            return "no waiting dead letter matches"
        with store.reading() as connection:
            found = find_letters(connection, LetterFilter(ids=self.ids), limit=5)
        states = "; ".join(f"dead letter {each.id} is {each.state}" for each in found)
        return states or "there is no dead letter with this ID"


choice = grouped(
    [
        click.argument("ids", metavar="[ID]...", type=NUMBER, nargs=-1),
        letters,
        click.option(
            "--limit",
            type=NUMBER,
            metavar="NUMBER",
            help="At most so many dead letters, the oldest.",
        ),
    ],
    ["ids", "wanted", "limit"],
    Choice,
    name="choice",
)
"""Adds the options that choose dead letters to a command, which receives them as `choice`."""


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """How to replay dead letters."""

    rate: float
    """Notifications a second, for each channel."""
    include_unknown: bool
    """Whether notifications that may have been sent already are replayed too."""


replay_options = grouped(
    [
        click.option(
            "--rate",
            type=NumberRange(min=0.001),
            default=10.0,
            metavar="NUMBER",
            show_default="10",
            help="Notifications a second, for each channel.",
        ),
        click.option(
            "--include-unknown",
            is_flag=True,
            help="Also replay notifications with unknown outcome (may send duplicates).",
        ),
    ],
    ["rate", "include_unknown"],
    ReplayOptions,
    name="options",
)
"""Adds the options of a replay to a command, which receives them as `options`."""
