"""`notify suppress ls`, `show`, `add` and `lift`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click

from notify.cli.console import Console
from notify.cli.options.actor import actor_of, reason_option
from notify.cli.options.as_json import json_lines_option, json_option
from notify.cli.options.filters import channel_option, newest_option
from notify.cli.options.span import span_option
from notify.cli.options.when import When
from notify.cli.output import print_json, print_whole, report_omitted
from notify.cli.suppress.options import channel_of, kind_option, recipient_of, scope_option
from notify.cli.suppress.sync import sync
from notify.cli.suppress.transfer import export, import_
from notify.cli.suppress.view import details, listing
from notify.errors import NotifyError
from notify.message import Channel
from notify.service.record import opened_record
from notify.settings import load
from notify.status.suppressions import read_suppressions, suppression_as_json
from notify.store.db import Moment
from notify.suppression import (
    ALL,
    ListedSuppression,
    Suppression,
    SuppressionFilter,
    SuppressionReason,
    add_entry,
    lift_for_operator,
)

_MOST = 1000
_reason = reason_option("Why; kept in the audit.")


@click.group()
def suppress() -> None:
    """List, add and lift recipients that must not be written to.

    The list holds hashes, never addresses: `show` and `lift` find an entry by its number or by the
    recipient's address, in any spelling.

    \b
    Examples:
      notify suppress ls --kind complaint --since 7d
      notify suppress show ann@example.com
      notify suppress lift 17 --reason "ticket 4711: the mailbox exists again"
    """


@suppress.command(name="ls")
@channel_option("Only this channel.")
@kind_option("Only entries with this reason.")
@scope_option("Only this scope, such as source:shop.")
@click.option("--since", type=When(), metavar="WHEN", help="Only since then: 15m, 2h or 3d ago.")
@click.option("--all", "ended", is_flag=True, help="Also entries that were lifted or have ended.")
@newest_option
@json_lines_option
def ls(
    *,
    channel: Channel | None,
    kind: SuppressionReason | None,
    scope: str | None,
    since: Moment | None,
    ended: bool,
    limit: int,
    as_json: bool,
) -> None:
    """List entries, the newest first. All times are in UTC.

    \b
    Examples:
      notify suppress ls --channel email --kind bounce
      notify suppress ls --all --json | jq -r 'select(.lifted_at) | .id'
    """
    wanted = SuppressionFilter(channel=channel, reason=kind, scope=scope, since=since, ended=ended)
    with opened_record(load()) as store:
        found = read_suppressions(store, wanted, limit=limit + 1)
        now = store.clock()
    if as_json:
        for each in found[:limit]:
            print_json(suppression_as_json(each, now=now))
    elif found:
        print_whole(Console(), listing(found[:limit], now=now))
    else:
        click.echo("no entry matches", err=True)
    report_omitted(len(found), limit=limit)


@suppress.command()
@click.argument("target", metavar="ID|RECIPIENT")
@channel_option("Only this channel.")
@json_lines_option
def show(*, target: str, channel: Channel | None, as_json: bool) -> None:
    """Show one entry, or all entries of a recipient, with those that have ended.

    `-` reads the recipient from standard input, which leaves no trace in the shell's history.

    \b
    Examples:
      notify suppress show 17
      notify suppress show ann@example.com
      notify suppress show - < address.txt
    """
    wanted = _target(target, channel, ended=True)
    with opened_record(load()) as store:
        found = read_suppressions(store, wanted, limit=_MOST)
        now = store.clock()
    if not found:
        raise NotifyError("the list has no such entry")
    for each in reversed(found):
        if as_json:
            print_json(suppression_as_json(each, now=now))
        else:
            click.echo("\n".join(details(each, now=now)))


@suppress.command()
@click.argument("recipient", metavar="RECIPIENT")
@channel_option("The channel; by default the likely one of the address.")
@scope_option(
    "What it stops: all, source:NAME, category:NAME, category:NAME/SOURCE or sender:NUMBER.",
    default=ALL,
)
@kind_option("The reason on the list.", default=SuppressionReason.OPERATOR)
@click.option("--binding", is_flag=True, help="Stop critical categories too.")
@span_option("it is lifted")
@_reason
@json_option
def add(
    *,
    recipient: str,
    channel: Channel | None,
    scope: str,
    kind: SuppressionReason,
    binding: bool,
    span: timedelta | None,
    reason: str,
    as_json: bool,
) -> None:
    """Add a recipient to the list. Messages that no worker has claimed yet are stopped.

    `-` reads the recipient from standard input. The list keeps a hash of it, and the audit keeps
    the number of the entry and your reason: write ticket numbers there, not addresses.

    \b
    Examples:
      notify suppress add ann@example.com --reason "ticket 4711"
      notify suppress add +4915112345678 --scope source:crm --for 30d --reason "ticket 4712"
      notify suppress add - --kind opt_out --reason "by letter" < address.txt
    """
    to = recipient_of(recipient)
    of = channel_of(to, channel)
    actor = actor_of(reason)
    with opened_record(load()) as store:
        now = store.clock()
        item = Suppression(
            channel=of,
            reason=kind,
            since=now,
            recipient=to,
            scope=scope,
            until=now + span if span else None,
            binding=True if binding else None,
            evidence=f"by {actor.name}",
        )
        added = add_entry(store, item, actor, now=now)
    if as_json:
        print_json({"added": added.id if added else None})
    elif added:
        click.echo(f"suppression {added.id} is added: {added.reason}, {added.scope}")
    else:
        click.echo("the list has this entry already, for as long or longer")


@suppress.command()
@click.argument("targets", metavar="ID|RECIPIENT...", nargs=-1, required=True)
@channel_option("Only this channel.")
@scope_option("Only this scope.")
@kind_option("Only entries with this reason.")
@_reason
@json_lines_option
def lift(
    *,
    targets: tuple[str, ...],
    channel: Channel | None,
    scope: str | None,
    kind: SuppressionReason | None,
    reason: str,
    as_json: bool,
) -> None:
    """Lift entries, so that the recipient gets messages again.

    A vendor's own list may still have the recipient: `notify suppress sync` corrects SendGrid's.
    A late repeat of the old evidence does not add the entry again; new evidence does. Messages that
    have ended as suppressed are not sent: the producer sends them again.

    \b
    Examples:
      notify suppress lift 17 18 --reason "ticket 4711: the mailbox exists again"
      notify suppress lift ann@example.com --kind bounce --reason "ticket 4711"
    """
    actor = actor_of(reason)
    lifted: list[ListedSuppression] = []
    with opened_record(load()) as store:
        for target in targets:
            wanted = _target(target, channel, scope=scope, reason=kind)
            lifted += lift_for_operator(store, wanted, actor, now=store.clock())
        now = store.clock()
    if not lifted:
        raise NotifyError("no entry in effect matches; `notify suppress show` shows ended ones")
    for each in lifted:
        if as_json:
            print_json(suppression_as_json(each, now=now) | {"lifted_at": now})
        else:
            click.echo(f"suppression {each.id} is lifted: {each.reason}, {each.scope}")


def _target(given: str, channel: Channel | None, **parts: Any) -> SuppressionFilter:
    if given.isdecimal() and len(given) < 19:
        return SuppressionFilter(ids=[int(given)], channel=channel, **parts)
    return SuppressionFilter(recipient=recipient_of(given), channel=channel, **parts)


suppress.add_command(import_)
suppress.add_command(export)
suppress.add_command(sync)
