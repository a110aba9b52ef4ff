"""`notify cancel`: take back what has not been sent."""

from __future__ import annotations

import json
from collections import Counter
from uuid import UUID

import click

from notify.cli.options.actor import myself
from notify.cli.options.filters import source_option
from notify.errors import NotifyError
from notify.message import Status
from notify.service import opened_record
from notify.settings import load
from notify.store import Actor, write_audit
from notify.store import cancel_waiting as cancel_in
from notify.store.delivery import Cancelled


@click.command()
@click.argument("id_", metavar="ID", type=click.UUID)
@click.option(
    "--reason", metavar="TEXT", default="", help="Why, in your words; kept in the audit alone."
)
@source_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def cancel(id_: UUID, reason: str, source: str | None, as_json: bool) -> None:
    """Cancel a notification that waits, or all of a batch that do.

    What is scheduled, or queued for its first or next attempt, is not sent any more; its producer
    is told by an event, and the audit keeps who cancelled it and why. What a worker has in hand,
    or what has ended, is left as it is and reported. Exit code 1 means that nothing was cancelled.

    \b
    Examples:
      notify ls --status scheduled --source shop
      notify cancel 0b0e6a52-8f0e-4c52-9c2e-0f5b6b1f7a10 --reason "wrong price, INC-12"
      notify cancel 0b0e6a52-8f0e-4c52-9c2e-0f5b6b1f7a10 --json | jq .cancelled
    """
    with opened_record(load()) as store, store.writing() as connection:
        now = store.clock()
        result = cancel_in(connection, id_, source=source, now=now)
        if result.ids:
            left = Counter(status.value for status in result.others.values())
            details = {"id": str(id_), "cancelled": len(result.ids), "left": dict(left)}
            write_audit(connection, Actor(myself(), reason), "cancel", details=details, at=now)
    if as_json:
        click.echo(_dumped(result))
    if not result.ids:
        raise NotifyError(_refusal(id_, result))
    if not as_json:
        _tell(id_, result)


def _refusal(id_: UUID, result: Cancelled) -> str:
    if not result.others:
        return (
            f"no notification and no batch {id_} is on record: no worker has taken it yet,"
            " or it lies in the dead letters"
        )
    if len(result.others) == 1:
        (status,) = result.others.values()
        if status is Status.SENDING:
            return f"{id_} is with a worker just now: try again in a moment"
        return f"{id_} is {status}: there is nothing left to cancel"
    return f"nothing of the batch {id_} waits any more: {_counts(result)}"


def _tell(id_: UUID, result: Cancelled) -> None:
    if not result.others and len(result.ids) == 1:
        click.echo(f"{id_} is cancelled")
        return
    total = len(result.ids) + len(result.others)
    click.echo(f"{len(result.ids):,} of {total:,} recipients of the batch are cancelled")
    if result.others:
        click.echo(f"too late for {len(result.others):,}: {_counts(result)}")
        for each, status in result.others.items():
            click.echo(f"  {each}  {status}")


def _counts(result: Cancelled) -> str:
    counts = Counter(result.others.values())
    return ", ".join(f"{counts[status]:,} {status}" for status in Status if counts[status])


def _dumped(result: Cancelled) -> str:
    left = {str(each): status.value for each, status in result.others.items()}
    return json.dumps({"cancelled": [str(each) for each in result.ids], "left": left})
