"""`notify maintenance`: what a timer has done to the record every day."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click

from notify.cli.ledger import as_plain
from notify.cli.opened import record
from notify.errors import NotifyError
from notify.ledger import Found, Ledger, draw_up
from notify.settings import load


@click.command()
@click.option(
    "--ids",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="List at most so many ids of each contradiction.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def maintenance(*, ids: int, as_json: bool) -> None:
    """Do what the record needs once a day: check that the ledger balances.

    It may run at any time, beside the workers, and on several machines. Exit code 1 means that
    the record contradicts itself; the ids are listed, and `notify show ID` tells the story of one.

    \b
    Examples:
      notify maintenance
      notify maintenance --json | jq .ledger.faults
    """
    settings = load()
    with record(settings) as store:
        ledger = draw_up(store, now=datetime.now(UTC), ids=ids)
    if as_json:
        click.echo(json.dumps({"ledger": as_plain(ledger, None)}, ensure_ascii=False))
    else:
        _tell(ledger)
    if not ledger.balanced:
        raise NotifyError("the ledger does not balance: `notify show ID` tells an id's whole story")


def _tell(ledger: Ledger) -> None:
    for title, found in (("contradiction", ledger.faults), ("doubt", ledger.doubts)):
        _list(title, found)
    if ledger.difference:
        click.echo(f"{ledger.difference:,} accepted, and in none of the terms")
    if ledger.balanced:
        click.echo(f"ledger: {ledger.accepted:,} accepted, it balances")


def _list(title: str, found: Mapping[Any, Found]) -> None:
    for kind, each in found.items():
        click.echo(f"{title}: {kind.value}: {each.count:,}")
        for id_ in each.ids:
            click.echo(f"  {id_}")
