"""`notify audit`: what operators did, who they are, and why."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import click

from notify.cli.console import Console, Table
from notify.cli.options.filters import chosen, newest_option, period
from notify.cli.record.view import print_whole
from notify.service import opened_record
from notify.settings import load
from notify.store import Act, ActFilter, find_acts

_filters = chosen(
    [
        click.option("--actor", metavar="NAME", help="Only by this person: ann, or ann@ops-1."),
        click.option(
            "--action",
            metavar="NAME",
            help="Only this: breaker.open, dead.replay, hold; or all of a kind: breaker, dead.",
        ),
        click.option(
            "--object",
            metavar="ID|NAME",
            help="Only what was done to this: a provider, a limit, an id of a message or letter.",
        ),
        *period("done"),
    ],
    ActFilter.__dataclass_fields__,
    ActFilter,
)


@click.command()
@_filters
@newest_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def audit(*, wanted: ActFilter, limit: int, as_json: bool) -> None:
    """List what operators did, the newest first: when, who, what and why.

    Replays, mendings and discards of dead letters, holds and releases, circuits and limits that
    were overruled, cancellations, decisions on unknown outcomes, erasures and new keys are in it;
    `notify maintenance` deletes a row after privacy.keep_audit days. Options narrow the list and
    are joined by and. All times are in UTC.

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
            click.echo(json.dumps(asdict(each), ensure_ascii=False, default=_plain))
    else:
        print_whole(Console(), _listing(found[:limit]))
    if len(found) > limit:
        click.echo(f"only the newest {limit} are listed; --limit raises that", err=True)


def _listing(acts: Sequence[Act]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("at (UTC)", "actor", "action"):
        table.add_column(title, no_wrap=True)
    for title in ("details", "reason"):
        table.add_column(title, min_width=20, overflow="fold")
    for each in acts:
        at = f"{each.at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
        table.add_row(at, each.actor, each.action, _told(each.details), each.reason)
    return table


def _told(details: dict[str, Any]) -> str:
    return ", ".join(
        f"{name} {_value(value)}" for name, value in details.items() if value not in (None, [], {})
    )


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
