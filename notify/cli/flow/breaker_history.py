"""`notify breaker history`: how circuits changed, also after an outage is over."""

from __future__ import annotations

from collections.abc import Sequence

import click
from rich.text import Text

from notify.cli.console import Console, Table
from notify.cli.flow.circuits_view import COLOURS
from notify.cli.options.as_json import json_lines_option
from notify.cli.options.filters import newest_option, period
from notify.cli.output import plain_table, print_json, print_whole, report_omitted, utc
from notify.policies.breaker import CircuitState, Mode
from notify.service.record import opened_record
from notify.settings import load
from notify.status.circuits import change_as_json
from notify.store.db import Moment
from notify.store.flow import CircuitChange, CircuitChangeFilter, find_circuit_changes

_since, _until = period("changed")


@click.command()
@click.argument("providers", metavar="[PROVIDER]...", nargs=-1)
@click.option(
    "--state",
    type=click.Choice([each.value for each in CircuitState]),
    callback=lambda _context, _option, value: CircuitState(value) if value else None,
    help="Only changes into this state.",
)
@_since
@_until
@newest_option
@json_lines_option
def history(
    *,
    providers: Sequence[str],
    state: CircuitState | None,
    since: Moment | None,
    until: Moment | None,
    limit: int,
    as_json: bool,
) -> None:
    """List how circuits changed, the newest first: opened, probed, closed, overridden.

    `notify maintenance` deletes a change after privacy.keep_audit days. All times are in UTC.

    \b
    Examples:
      notify breaker history --since 1d
      notify breaker history sendgrid --state open
      notify breaker history twilio --json | jq -r .cause
    """
    wanted = CircuitChangeFilter(providers=providers, state=state, since=since, until=until)
    with opened_record(load()) as store, store.reading() as connection:
        found = find_circuit_changes(connection, wanted, limit=limit + 1)
    if not found:
        click.echo("no change of a circuit matches", err=True)
    elif as_json:
        for each in found[:limit]:
            print_json(change_as_json(each))
    else:
        print_whole(Console(), _listing(found[:limit]))
    report_omitted(len(found), limit=limit)


def _listing(changes: Sequence[CircuitChange]) -> Table:
    table = plain_table()
    for title in ("at (UTC)", "provider", "from", "to"):
        table.add_column(title, no_wrap=True)
    table.add_column("why", min_width=20, overflow="fold")
    for each in changes:
        table.add_row(
            utc(each.at),
            each.provider,
            _words(each.state_before, each.mode_before),
            Text(_words(each.state, each.mode), style=COLOURS[each.state]),
            _why(each),
        )
    return table


def _words(state: CircuitState, mode: Mode) -> str:
    word = state.value.replace("_", "-")
    if mode is Mode.AUTO:
        return word
    return f"{word} ({'shadow' if mode is Mode.SHADOW else 'forced'})"


def _why(change: CircuitChange) -> str:
    times = f" (opened {change.trips} times)" if change.trips > 1 else ""
    cause = f"{change.cause}{times}" if change.cause else ""
    override = f"{change.actor}: {change.reason}" if change.actor else ""
    return "; ".join(part for part in (cause, override) if part)
