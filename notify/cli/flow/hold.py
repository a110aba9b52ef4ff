"""`notify hold`, `notify release`, `notify holds`: the switch that keeps messages from leaving."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import reduce, wraps
from typing import Any

import click

from notify.cli.dead.choice import actor_of
from notify.cli.flow import holds_view as held
from notify.cli.options.given import NUMBER
from notify.cli.options.span import Span
from notify.cli.stopped import count, others
from notify.errors import NotifyError
from notify.message import Channel
from notify.policies.holds import Hold, Scope
from notify.service import opened_record
from notify.settings import Settings, load
from notify.store import write_audit
from notify.store.flow import holds as kept_in

_SCOPE = [
    click.option(
        "--channel",
        type=click.Choice([channel.value for channel in Channel]),
        callback=lambda _context, _option, value: Channel(value) if value else None,
        help="This channel.",
    ),
    click.option("--lane", metavar="NAME", help="This lane, such as bulk."),
    click.option("--source", metavar="NAME", help="What this producing service asked for."),
    click.option("--template", metavar="NAME", help="What names this template."),
    click.option("--provider", metavar="NAME", help="This provider; alone, with no other filter."),
]
_reason = click.option(
    "--reason", required=True, metavar="TEXT", help="Why; shown by `notify holds` and audited."
)
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


def _scoped(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say what a hold stops; it gets them as `scope`."""

    @wraps(command)
    def run(**values: Any) -> None:
        parts = {name: values.pop(name) for name in kept_in.SCOPE_PARTS}
        scope = Scope(**{name: value or None for name, value in parts.items()})
        if scope.provider is not None and len(scope.given) > 1:
            raise click.UsageError("--provider stands alone: it is held for all messages")
        command(scope=scope, **values)

    return reduce(lambda wrapped, option: option(wrapped), reversed(_SCOPE), run)


@click.command()
@_scoped
@click.option("--all", "everything", is_flag=True, help="Everything that is to be sent.")
@click.option(
    "--for",
    "span",
    type=Span(),
    metavar="SPAN",
    help="End by itself after 90s, 30m, 2h or 3d; without, it stands until it is released.",
)
@_reason
@_json
def hold(
    *, scope: Scope, everything: bool, span: timedelta | None, reason: str, as_json: bool
) -> None:
    """Keep messages from being sent, on all workers within 2 seconds.

    What fits all filters waits, and none of it fails: messages of a whole channel or lane stay in
    RabbitMQ, those of a source or template are set aside in the record as their turn comes. What
    expires meanwhile ends `expired`. A call that is being made is not cut off. If a provider is
    held, its channel's next provider sends; if there is none, the channel waits.

    It prints what waits already.

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
        with store.writing() as connection:
            placed = kept_in.place(
                connection, scope, actor=actor.name, reason=actor.reason, seconds=seconds
            )
            details = {"id": placed.id, "seconds": seconds, **scope.given}
            write_audit(connection, actor, "hold", details=details, at=store.clock())
            standing, _ = kept_in.current(connection)
        left = others(settings, standing, scope.provider) if scope.provider else {}
        stopped = count(settings, store, scope, left=left)
    if as_json:
        click.echo(json.dumps({"hold": held.dumped(placed), "waiting": held.counts(stopped)}))
    else:
        click.echo("\n".join(held.lines(placed, stopped, left)))


@click.command()
@_scoped
@click.option("--id", "ids", type=NUMBER, metavar="ID", multiple=True, help="This hold.")
@click.option("--all", "everything", is_flag=True, help="All holds.")
@_reason
@_json
def release(
    *, scope: Scope, ids: Sequence[int], everything: bool, reason: str, as_json: bool
) -> None:
    """End holds, so that what they kept is sent, on all workers within 2 seconds.

    Give the filters that the hold was placed with, neither more nor fewer, or its id. What was set
    aside in the record comes due at once; with much of it that takes some seconds.

    \b
    Examples:
      notify release --channel sms --reason "INC-12 is over"
      notify release --id 7 --id 8 --reason "links are mended"
      notify release --all --reason "drill is over"
    """
    if bool(scope.given) + bool(ids) + everything != 1:
        raise click.UsageError("say which: the filters of a hold, or --id, or --all")
    actor = actor_of(reason)
    with opened_record(load()) as store, store.writing() as connection:
        standing, _ = kept_in.current(connection)
        chosen = [each.id for each in standing if everything or _is(each, scope, ids)]
        if not chosen:
            raise NotifyError(_none(scope, ids))
        rows = kept_in.count_held(connection, chosen)
        lifted = kept_in.lift(connection, chosen)
        details = {"ids": chosen, "kept": sum(rows.values())}
        write_audit(connection, actor, "release", details=details, at=store.clock())
    if as_json:
        released = [held.dumped(each) | {"kept": rows.get(each.id, 0)} for each in lifted]
        click.echo(json.dumps({"released": released, "standing": len(standing) - len(lifted)}))
        return
    for each in lifted:
        came = f"; {rows[each.id]:,} on record come due" if each.id in rows else ""
        click.echo(f"hold {each.id} is released: {each}{came}")
    if left := len(standing) - len(lifted):
        click.echo(f"{left:,} other {'holds stand' if left > 1 else 'hold stands'}: notify holds")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def holds(*, as_json: bool) -> None:
    """List the holds that stand, and how many notifications each has set aside in the record.

    Messages that wait in RabbitMQ are not counted. All times are in UTC.

    \b
    Examples:
      notify holds
      notify holds --json | jq .reason
    """
    with opened_record(load()) as store, store.reading() as connection:
        standing, _ = kept_in.current(connection)
        rows = kept_in.count_held(connection, [each.id for each in standing])
    if as_json:
        for each in standing:
            click.echo(json.dumps(held.dumped(each) | {"kept": rows.get(each.id, 0)}))
    elif standing:
        click.echo("\n".join(held.listing(standing, rows)))
    else:
        click.echo("nothing is held")


def _check(settings: Settings, scope: Scope, *, everything: bool) -> None:
    if everything == bool(scope.given):
        raise click.UsageError("say what to hold: by filters, or --all")
    if scope.lane is not None and scope.lane not in settings.lanes:
        known = ", ".join(sorted(settings.lanes))
        raise click.UsageError(f"no lane {scope.lane} is configured; there are {known}")
    if scope.provider is not None and scope.provider not in settings.providers:
        known = ", ".join(sorted(settings.providers)) or "none"
        raise click.UsageError(f"no provider {scope.provider} is configured; there are {known}")


def _is(hold: Hold, scope: Scope, ids: Sequence[int]) -> bool:
    return hold.id in ids or (not ids and hold.given == scope.given)


def _none(scope: Scope, ids: Sequence[int]) -> str:
    asked = f"hold {', '.join(map(str, ids))}" if ids else f"hold for exactly {scope}"
    return f"no {asked} stands; `notify holds` lists those that do"
