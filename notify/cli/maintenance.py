"""`notify maintenance`: the daily work on the record, run by a timer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import click

from notify.cli.ledger import ids_option
from notify.cli.options.as_json import json_option
from notify.cli.output import print_json
from notify.errors import NotifyError
from notify.ledger import Contradiction, Ledger, build_ledger
from notify.privacy import Deleted, count_old, delete_old
from notify.service.privacy import keep_of
from notify.service.record import opened_record
from notify.settings import load
from notify.status.ledger import ledger_as_json


@click.command()
@ids_option
@click.option(
    "--batch",
    type=click.IntRange(min=1, max=10_000),
    default=500,
    show_default=True,
    help="Rows to delete in one transaction.",
)
@click.option("--dry-run", is_flag=True, help="Delete nothing; count notifications and letters.")
@json_option
def maintenance(*, ids: int, batch: int, dry_run: bool, as_json: bool) -> None:
    """Do the daily work on the record: delete old rows, check the ledger.

    A notification that has ended is deleted, with its attempts, events and receipts, after the
    days of its lane's `keep`; dead letters and audit rows after those in [privacy]; receipts that
    match no notification after those in [receipts]. Notifications that wait to be sent or looked
    up, or whose events are not published yet, are never deleted.

    It may run at any time, beside the workers, and on several machines. Exit code 1 means that
    the record contradicts itself; the ids are listed, and `notify show ID` shows the timeline of
    one.

    \b
    Examples:
      notify maintenance --dry-run
      notify maintenance
      notify maintenance --json | jq .ledger.faults
    """
    settings = load()
    keep = keep_of(settings)
    with opened_record(settings) as store:
        now = store.clock()
        if dry_run:
            deleted = count_old(store, keep, now=now)
        else:
            deleted = delete_old(store, keep, now=now, batch=batch)
        ledger = build_ledger(store, now=store.clock(), ids=ids)
    if as_json:
        values = {"deleted": asdict(deleted), "dry_run": dry_run}
        print_json(values | {"ledger": ledger_as_json(ledger, None)})
    else:
        _print_deleted(deleted, dry_run=dry_run)
        _print_ledger(ledger)
    if not ledger.balanced:
        raise NotifyError("the ledger does not balance: `notify show ID` shows an id's timeline")


def _print_deleted(deleted: Deleted, *, dry_run: bool) -> None:
    if dry_run:
        counts = f"{deleted.notifications:,} notifications and {deleted.letters:,} dead letters"
        click.echo(f"would be deleted: {counts}")
        return
    counts = (
        f"{deleted.notifications:,} notifications, {deleted.attempts:,} attempts, "
        f"{deleted.events:,} events, {deleted.receipts:,} receipts, "
        f"{deleted.letters:,} dead letters, {deleted.audit:,} audit rows"
    )
    click.echo(f"deleted: {counts}")
    if deleted.unsettled:
        click.echo(f"{deleted.unsettled:,} of the dead letters were still waiting for an operator")


def _print_ledger(ledger: Ledger) -> None:
    for title, found in (("contradiction", ledger.faults), ("doubt", ledger.doubts)):
        _list(title, found)
    for each in ledger.miscounts:
        click.echo(f"corrected total: {each}")
    if ledger.difference:
        click.echo(f"{ledger.difference:,} accepted, but in none of the terms")
    if ledger.balanced:
        click.echo(f"ledger: {ledger.accepted:,} accepted, it balances")


def _list(title: str, found: Mapping[Any, Contradiction]) -> None:
    for kind, each in found.items():
        click.echo(f"{title}: {kind.value}: {each.count:,}")
        for id_ in each.ids:
            click.echo(f"  {id_}")
