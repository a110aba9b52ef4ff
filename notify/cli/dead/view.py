"""Dead letters as tables: lists, counts, and one letter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.text import Text

from notify.cli.console import Table
from notify.cli.output import plain_table, utc
from notify.store.deadletters import Cause, DeadLetter


def listing(letters: Sequence[DeadLetter]) -> Table:
    """Return a table with a row for each letter."""
    table = plain_table()
    titles = "archived (UTC)", "cause", "code", "routing key", "template", "state"
    table.add_column("id", no_wrap=True, justify="right")
    for title in titles:
        table.add_column(title, no_wrap=True)
    table.add_column("reason", min_width=20)
    for each in letters:
        cells = (each.cause, each.code, each.routing_key, each.template, each.state)
        table.add_row(
            str(each.id),
            utc(each.archived_at),
            *(Text(cell or "") for cell in cells),
            Text(each.reason or ""),
        )
    return table


def totals(counts: Mapping[Cause, int]) -> Table:
    """Return a table with a row for each cause that occurs, the most frequent first."""
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(justify="right")
    for cause, number in sorted(counts.items(), key=lambda each: (-each[1], each[0])):
        table.add_row(cause, f"{number:,}")
    table.add_row("total", f"{sum(counts.values()):,}", style="bold")
    return table


def facts(letter: DeadLetter) -> Table:
    """Return a table of everything that is known of a letter except its content."""
    died = letter.died_at and f"{utc(letter.died_at)} UTC"
    rows = {
        "dead letter": str(letter.id),
        "state": f"{letter.state} since {utc(letter.state_at)} UTC",
        "cause": letter.cause,
        "reason": letter.reason,
        "code": letter.code,
        "routing key": letter.routing_key,
        "published to": letter.exchange,
        "died": died and f"{died} in {letter.queue or 'an unknown queue'}",
        "deliveries": letter.delivery_count and f"{letter.delivery_count}, the lane's limit",
        "archived": f"{utc(letter.archived_at)} UTC",
        "message id": letter.message_id,
        "notification": letter.notification_id and str(letter.notification_id),
        "template": letter.template,
        "replay": letter.replay_id and str(letter.replay_id),
    }
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        if value:
            table.add_row(name, Text(str(value)))
    return table
