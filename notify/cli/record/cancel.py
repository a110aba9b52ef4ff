"""`notify cancel`: cancel notifications that are not sent yet."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

import click

from notify.cli.options.actor import operator, reason_option
from notify.cli.options.as_json import json_option
from notify.cli.options.filters import source_option
from notify.cli.output import print_json
from notify.delivery import cancel_notifications
from notify.errors import NotifyError
from notify.message import Status
from notify.service.record import opened_record
from notify.settings import load
from notify.status.notification import cancelled_as_json
from notify.store import Actor
from notify.store.delivery import Cancelled


@click.command()
@click.argument("id_", metavar="ID", type=click.UUID)
@reason_option("Why; kept only in the audit.", required=False)
@source_option
@json_option
def cancel(id_: UUID, reason: str, source: str | None, as_json: bool) -> None:
    """Cancel a notification that waits, or all of a batch that wait.

    A notification that is scheduled, or queued for its first or next attempt, is not sent any
    more; its producer is notified by an event, and the audit records who cancelled it and why. One
    that a worker is sending, or that has ended, is not changed, and is reported. Exit code 1 means
    that nothing was cancelled.

    \b
    Examples:
      notify ls --status scheduled --source shop
      notify cancel 0b0e6a52-8f0e-4c52-9c2e-0f5b6b1f7a10 --reason "wrong price, INC-12"
      notify cancel 0b0e6a52-8f0e-4c52-9c2e-0f5b6b1f7a10 --json | jq .cancelled
    """
    actor = Actor(operator(), reason)
    with opened_record(load()) as store:
        result = cancel_notifications(store, id_, actor, source=source)
    if as_json:
        print_json(cancelled_as_json(result))
    if not result.ids:
        raise NotifyError(_refusal(id_, result))
    if not as_json:
        _print(id_, result)


def _refusal(id_: UUID, result: Cancelled) -> str:
    if not result.others:
        return (
            f"no notification and no batch {id_} is on record: no worker has received it yet,"
            " or it is in the dead letters"
        )
    if len(result.others) == 1:
        (status,) = result.others.values()
        if status is Status.SENDING:
            return f"{id_} is being sent: try again in a moment"
        return f"{id_} is {status}: there is nothing left to cancel"
    return f"no member of the batch {id_} waits any more: {_counts(result)}"


def _print(id_: UUID, result: Cancelled) -> None:
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
