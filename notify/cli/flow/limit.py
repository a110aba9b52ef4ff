"""`notify limit`: the rates that all workers keep to, to look at and to change."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta

import click

from notify.cli.console import Console
from notify.cli.dead.choice import actor_of
from notify.cli.flow import limits_view as view
from notify.cli.options.span import Span
from notify.cli.record import view as story
from notify.service import limits, opened_record, provider_limit
from notify.settings import Settings, load
from notify.store import Store, write_audit
from notify.store.flow import limits as shared


@click.group()
def limit() -> None:
    """Look at the rate limits, and change them while everything runs.

    All workers together keep to a limit. One goes down by itself when its provider complains (HTTP
    429), and comes back slowly. What is said here holds on all workers within 2 seconds, and the
    audit keeps who said it and why.

    \b
    Examples:
      notify limit ls
      notify limit set sendgrid 50 --for 30m --reason "INC-7: they ask us to go slow"
      notify limit reset sendgrid --reason "they are well again"
    """


@limit.command(name="ls")
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Also those of single sources, recipients or countries that are as configured.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def ls(*, everything: bool, as_json: bool) -> None:
    """List the limits: what is configured, what is in force and why, and what is used.

    Rates are units a second, of all workers together: messages, or segments of SMS. Use is that of
    the last seconds. All times are in UTC.

    \b
    Examples:
      notify limit ls
      notify limit ls --json | jq -r 'select(.rate != .configured_rate) | .name'
    """
    settings = load()
    with opened_record(settings) as store:
        looks = view.looks(settings, store, everything=everything)
    if as_json:
        for look in looks:
            click.echo(json.dumps(view.dumped(look)))
    elif looks:
        story.print_whole(Console(), view.listing(looks))
    else:
        click.echo("no limit is configured", err=True)


_reason = click.option(
    "--reason", required=True, metavar="TEXT", help="Why; shown by `notify limit ls`, audited."
)
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")


@limit.command(name="set")
@click.argument("name", metavar="NAME")
@click.argument("rate", metavar="RATE", type=click.FloatRange(min=0, max=1_000_000, min_open=True))
@click.option(
    "--for",
    "span",
    type=Span(),
    metavar="SPAN",
    help="End by itself after 90s, 30m, 2h or 3d; without, it stands until it is reset.",
)
@_reason
@_json
def set_(*, name: str, rate: float, span: timedelta | None, reason: str, as_json: bool) -> None:
    """Put a rate, in units a second, in place of the configured one.

    NAME is that of a limit, of a provider, or of one value of a limit for each source, recipient
    or country, as `ls` shows it. It may be higher than what is configured; the burst stays. To
    stop everything, use `notify hold`.

    \b
    Examples:
      notify limit set sendgrid 50 --for 30m --reason "INC-7: they ask us to go slow"
      notify limit set shared-account 200 --reason "they raised it today"
      notify limit set each-source:crm 5 --for 1d --reason "campaign without notice"
    """
    settings = load()
    known = _known(settings, name)
    actor = actor_of(reason)
    seconds = span.total_seconds() if span else None
    with opened_record(settings) as store:
        with store.writing() as connection:
            shared.set_rate(connection, known, rate, seconds=seconds, actor=actor)
            details = {"name": known, "rate": rate, "seconds": seconds}
            write_audit(connection, actor, "limit.set", details=details, at=store.clock())
        _tell(settings, store, [known], as_json=as_json)


@limit.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@_reason
@_json
def reset(*, names: Sequence[str], reason: str, as_json: bool) -> None:
    """Go back to the configured rate at once.

    What an operator set ends, a pause that the provider asked for too, and a rate that it lowered
    by its complaints does not wait to recover. What is booked stays booked.

    \b
    Examples:
      notify limit reset sendgrid --reason "they are well again"
    """
    settings = load()
    known = sorted({_known(settings, name) for name in names})
    actor = actor_of(reason)
    with opened_record(settings) as store:
        with store.writing() as connection:
            changed = [name for name in known if shared.reset(connection, name)]
            if changed:
                details = {"names": changed}
                write_audit(connection, actor, "limit.reset", details=details, at=store.clock())
        for name in known:
            if name not in changed:
                click.echo(f"{name} was as configured already", err=True)
        _tell(settings, store, known, as_json=as_json)


def _tell(settings: Settings, store: Store, names: Sequence[str], *, as_json: bool) -> None:
    looks = [
        each for each in view.looks(settings, store, everything=True) if each.limit.name in names
    ]
    for look in looks:
        click.echo(json.dumps(view.dumped(look)) if as_json else view.sentence(look))
    if not as_json:
        click.echo("in effect on all workers within 2 seconds")


def _known(settings: Settings, name: str) -> str:
    """Find the limit that is meant; a provider's name stands for its own."""
    known = limits(settings)
    if name in known or view.kind_of(settings, name) is not None:
        return name
    if provider_limit(name) in known:
        return provider_limit(name)
    names = ", ".join(sorted(known)) or "none"
    raise click.UsageError(f"no limit {name} is configured; there are {names}")
