"""`notify audit`: what operators did, who they are, and why."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click

from notify.cli.console import Console, Table
from notify.cli.options.as_json import json_lines_option
from notify.cli.options.filters import grouped, newest_option, period
from notify.cli.output import plain_table, print_json, print_whole, report_omitted, utc
from notify.service.record import opened_record
from notify.settings import load
from notify.status.audit import act_as_json
from notify.store import Act, ActFilter, find_acts

_filters = grouped(
    [
        click.option("--actor", metavar="NAME", help="Only by this operator: ann, or ann@ops-1."),
        click.option(
            "--action",
            metavar="NAME",
            help="Only this action: breaker.open, dead.replay, hold; or a group: breaker, dead.",
        ),
        click.option(
            "--object",
            metavar="ID|NAME",
            help="Only on this object: a provider, a limit, an id of a message or letter.",
        ),
        *period("done"),
    ],
    ActFilter.__dataclass_fields__,
    ActFilter,
    name="wanted",
)


@click.command()
@_filters
@newest_option
@json_lines_option
def audit(*, wanted: ActFilter, limit: int, as_json: bool) -> None:
    """List what operators did, the newest first: when, who, what and why.

    It lists replays, edits and discards of dead letters, plans, holds and releases, overrides of
    circuits and limits, cancellations, decisions on unknown outcomes, erasures and key rotations
    that match all options. `notify maintenance` deletes a row after privacy.keep_audit days. All
    times are in UTC.

    \b
    Examples:
      notify audit --since 1d
      notify audit --action breaker --object sendgrid
      notify audit --actor ann --json | jq -r .reason
      notify audit --object 0b0e6a52-8f0e-4c52-9c2e-0f5b6b1f7a10
    """
    with opened_record(load()) as store, store.reading() as connection:
        found = find_acts(connection, wanted, limit=limit + 1)
    if not found:
        click.echo("nothing in the audit matches", err=True)
    elif as_json:
        for each in found[:limit]:
            print_json(act_as_json(each))
    else:
        print_whole(Console(), _listing(found[:limit]))
    report_omitted(len(found), limit=limit)


def _listing(acts: Sequence[Act]) -> Table:
    table = plain_table()
    for title in ("at (UTC)", "actor", "action"):
        table.add_column(title, no_wrap=True)
    for title in ("details", "reason"):
        table.add_column(title, min_width=20, overflow="fold")
    for each in acts:
        table.add_row(utc(each.at), each.actor, each.action, _words(each.details), each.reason)
    return table


def _words(details: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} {_value(value)}" for name, value in details.items() if value not in (None, [], {})
    )


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
