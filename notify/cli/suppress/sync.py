"""`notify suppress sync`: a vendor's own lists."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from datetime import timedelta

import click

from notify.cli.options.actor import actor_of, reason_option
from notify.cli.options.as_json import json_option
from notify.cli.output import print_json
from notify.errors import NotifyError
from notify.message import Channel
from notify.provider import KeepsSuppressions
from notify.service.gateway import open_gateway
from notify.service.record import opened_record
from notify.settings import Settings, load
from notify.store import Store
from notify.suppression import ListSync, sync_lists


@click.command()
@click.option("--provider", metavar="NAME", help="Only this provider; by default all that can.")
@reason_option("Why; kept in the audit.")
@json_option
def sync(*, provider: str | None, reason: str, as_json: bool) -> None:
    """Read the vendors' own suppression lists, and delete there what was lifted here.

    A vendor drops messages to the recipients of its lists, whatever the list here says. SendGrid's
    bounces, invalid emails, spam reports, unsubscribes and group unsubscribes are read in pages of
    500 and added here; its blocks are not, since they are about the sender. Of Amazon SES, the
    account's bounces and complaints are read. An entry that was
    lifted here after it was added there is deleted there. It may be interrupted and repeated.

    \b
    Examples:
      notify suppress sync --reason "the first day"
      notify suppress sync --provider sendgrid --reason "ticket 4711" --json
    """
    settings = load()
    actor = actor_of(reason)
    totals: Counter[str] = Counter()
    with opened_record(settings) as store, ExitStack() as stack:
        vendors = {name: _vendors(settings, store, name, stack) for name in settings.channels}
        names = {each.provider for found in vendors.values() for each in found}
        if not names or provider not in (None, *names):
            raise NotifyError("no configured provider has lists that can be read")
        for channel, found in vendors.items():
            for step in sync_lists(store, channel, found, actor, only=provider):
                totals.update(read=step.read, added=step.added, removed=step.removed)
                if not as_json:
                    click.echo(f"{step.name}: {totals['read']:,} read so far", err=True)
    if as_json:
        print_json({name: totals[name] for name in ("read", "added", "removed")})
    else:
        added, removed = totals["added"], totals["removed"]
        click.echo(f"{totals['read']:,} read, {added:,} added here, {removed:,} deleted there")


def _vendors(
    settings: Settings, store: Store, channel: Channel, stack: ExitStack
) -> list[ListSync]:
    """Return the providers of a channel that keep lists."""
    gateway = open_gateway(settings, channel)
    stack.callback(gateway.close)
    bounce_lasts = timedelta(days=settings.suppression.bounce_days)
    return [
        ListSync(
            store,
            each.provider,
            provider=each.name,
            channel=each.channel,
            bounce_lasts=bounce_lasts,
        )
        for each in gateway.providers
        if isinstance(each.provider, KeepsSuppressions)
    ]
