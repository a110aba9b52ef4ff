"""`notify hold`, `notify release`, `notify holds`: the kill switch for messages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import click

from notify.cli.flow.holds_view import effects, listing
from notify.cli.options.actor import actor_of, reason_option
from notify.cli.options.as_json import json_lines_option, json_option
from notify.cli.options.filters import Command, channel_option, grouped
from notify.cli.options.given import NUMBER
from notify.cli.options.span import span_option
from notify.cli.output import print_json
from notify.errors import NotifyError
from notify.flow import overrides
from notify.policies.holds import Hold, Scope
from notify.service.record import opened_record
from notify.settings import Settings, load
from notify.status.holds import alternatives, count_held, hold_as_json, read_holds
from notify.store.flow import SCOPE_PARTS

_SCOPE: list[Callable[[Command], Command]] = [
    channel_option("This channel."),
    click.option("--lane", metavar="NAME", help="This lane, such as bulk."),
    click.option("--source", metavar="NAME", help="Messages of this producing service."),
    click.option("--template", metavar="NAME", help="Messages that use this template."),
    click.option("--provider", metavar="NAME", help="This provider; without any other filter."),
]
_reason = reason_option("Why; shown by `notify holds` and kept in the audit.")


def _scope(**parts: Any) -> Scope:
    scope = Scope(**{name: value or None for name, value in parts.items()})
    if scope.provider is not None and len(scope.given) > 1:
        raise click.UsageError("--provider excludes other filters: it holds all messages")
    return scope


_scoped = grouped(_SCOPE, SCOPE_PARTS, _scope, name="scope")
"""Adds the options of a hold's scope to a command, which receives them as `scope`."""


@click.command()
@_scoped
@click.option("--all", "everything", is_flag=True, help="All messages.")
@span_option("it is released")
@_reason
@json_option
def hold(
    *, scope: Scope, everything: bool, span: timedelta | None, reason: str, as_json: bool
) -> None:
    """Keep messages from being sent, on all workers within 2 seconds.

    Messages that match all filters wait, and none of them fails: those of a whole channel or lane
    stay in RabbitMQ, those of a source or template are set aside in the record when a worker
    receives them. A message that expires before the release ends `expired`. A call in flight is
    not cancelled. If a provider is on hold, its channel's next provider sends; without one, the
    channel waits.

    The command prints how many messages wait already.

    \b
    Examples:
      notify hold --channel sms --reason "INC-12: pumping"
      notify hold --source crm --lane bulk --for 30m --reason "wrong prices"
      notify hold --template welcome --reason "broken link"
      notify hold --provider sendgrid --for 2h --reason "maintenance"
    """
    settings = load()
    _check(settings, scope, everything=everything)
    actor = actor_of(reason)
    seconds = span.total_seconds() if span else None
    with opened_record(settings) as store:
        placed = overrides.place_hold(store, scope, actor, seconds=seconds)
        current = [each.hold for each in read_holds(store)]
        others = alternatives(settings, current, scope.provider) if scope.provider else {}
        held = count_held(settings, store, scope, others=others)
    if as_json:
        print_json({"hold": hold_as_json(placed), "waiting": held.as_json()})
    else:
        click.echo("\n".join(effects(placed, held, others)))


@click.command()
@_scoped
@click.option("--id", "ids", type=NUMBER, metavar="ID", multiple=True, help="This hold.")
@click.option("--all", "everything", is_flag=True, help="All holds.")
@_reason
@json_option
def release(
    *, scope: Scope, ids: Sequence[int], everything: bool, reason: str, as_json: bool
) -> None:
    """Release holds, so that their messages are sent, on all workers within 2 seconds.

    Name a hold by exactly the filters that it was placed with, or by its id. Notifications that it
    set aside in the record come due at once; many of them take some seconds.

    \b
    Examples:
      notify release --channel sms --reason "INC-12 is over"
      notify release --id 7 --id 8 --reason "links are fixed"
      notify release --all --reason "drill is over"
    """
    if bool(scope.given) + bool(ids) + everything != 1:
        raise click.UsageError("name the holds: by the filters of one, by --id, or --all")
    actor = actor_of(reason)
    with opened_record(load()) as store:
        done = overrides.release_holds(
            store, lambda each: everything or _is_meant(each, scope, ids), actor
        )
    if not done.holds:
        raise NotifyError(_no_match(scope, ids))
    if as_json:
        released = [
            hold_as_json(each) | {"kept": done.set_aside.get(each.id, 0)} for each in done.holds
        ]
        print_json({"released": released, "standing": done.remaining})
        return
    for each in done.holds:
        count = done.set_aside.get(each.id, 0)
        due = f"; {count:,} on record come due" if count else ""
        click.echo(f"hold {each.id} is released: {each}{due}")
    if done.remaining:
        noun = "holds are" if done.remaining > 1 else "hold is"
        click.echo(f"{done.remaining:,} other {noun} in force: notify holds")


@click.command()
@json_lines_option
def holds(*, as_json: bool) -> None:
    """List the holds in force, and how many notifications each has set aside in the record.

    Messages that wait in RabbitMQ are not counted. All times are in UTC.

    \b
    Examples:
      notify holds
      notify holds --json | jq .reason
    """
    with opened_record(load()) as store:
        current = read_holds(store)
    if as_json:
        for each in current:
            print_json(each.as_json())
    elif current:
        click.echo("\n".join(listing(current)))
    else:
        click.echo("no hold is in force")


def _check(settings: Settings, scope: Scope, *, everything: bool) -> None:
    if everything == bool(scope.given):
        raise click.UsageError("name the messages to hold: by filters, or --all")
    if scope.lane is not None and scope.lane not in settings.lanes:
        known = ", ".join(sorted(settings.lanes))
        raise click.UsageError(f"no lane {scope.lane} is configured; configured lanes: {known}")
    if scope.provider is not None and scope.provider not in settings.providers:
        known = ", ".join(sorted(settings.providers)) or "none"
        raise click.UsageError(
            f"no provider {scope.provider} is configured; configured providers: {known}"
        )


def _is_meant(hold: Hold, scope: Scope, ids: Sequence[int]) -> bool:
    return hold.id in ids or (not ids and hold.given == scope.given)


def _no_match(scope: Scope, ids: Sequence[int]) -> str:
    wanted = f"hold {', '.join(map(str, ids))}" if ids else f"hold for exactly {scope}"
    return f"no {wanted} is in force; `notify holds` lists the holds in force"
