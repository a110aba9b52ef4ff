"""`notify limit`: the rates that all workers keep to; list and change them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import click

from notify.cli.console import Console
from notify.cli.flow.limits_view import listing, sentence
from notify.cli.options.actor import actor_of, reason_option
from notify.cli.options.as_json import json_lines_option
from notify.cli.options.number import NumberRange
from notify.cli.options.span import span_option
from notify.cli.output import print_json, print_whole
from notify.flow import overrides
from notify.service.flow import limits, provider_limit
from notify.service.record import opened_record
from notify.settings import Settings, load
from notify.status.limits import parent_limit, read_limits
from notify.store import Store


@click.group()
def limit() -> None:
    """List the rate limits, and change them while workers run.

    All workers together keep to a limit. It is lowered automatically when its provider complains
    (HTTP 429), and recovers slowly. A change is in effect on all workers within 2 seconds, and the
    audit records who made it and why.

    \b
    Examples:
      notify limit ls
      notify limit set sendgrid 50 --for 30m --reason "INC-7: they ask us to slow down"
      notify limit reset sendgrid --reason "they have recovered"
    """


@limit.command(name="ls")
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Also those of single sources, recipients or countries that are as configured.",
)
@json_lines_option
def ls(*, everything: bool, as_json: bool) -> None:
    """List the limits: the rate configured, the rate in force and why, and the rate used.

    Rates are units a second, of all workers together: messages, or segments of SMS. The rate used
    is that of the last seconds. All times are in UTC.

    \b
    Examples:
      notify limit ls
      notify limit ls --json | jq -r 'select(.rate != .configured_rate) | .name'
    """
    settings = load()
    with opened_record(settings) as store:
        found = read_limits(settings, store, everything=everything)
    if as_json:
        for each in found:
            print_json(each.as_json())
    elif found:
        print_whole(Console(), listing(found))
    else:
        click.echo("no limit is configured", err=True)


_reason = reason_option("Why; shown by `notify limit ls` and kept in the audit.")


@limit.command(name="set")
@click.argument("name", metavar="NAME")
@click.argument("rate", metavar="RATE", type=NumberRange(min=0, max=1_000_000, min_open=True))
@span_option("it is reset")
@_reason
@json_lines_option
def set_(*, name: str, rate: float, span: timedelta | None, reason: str, as_json: bool) -> None:
    """Replace a configured rate by RATE, in units a second.

    NAME is that of a limit, of a provider, or of one value of a limit for each source, recipient
    or country, as `ls` shows it. RATE may be higher than the configured one; the burst does not
    change. To stop everything, use `notify hold`.

    \b
    Examples:
      notify limit set sendgrid 50 --for 30m --reason "INC-7: they ask us to slow down"
      notify limit set shared-account 200 --reason "they raised it today"
      notify limit set each-source:crm 5 --for 1d --reason "campaign without notice"
    """
    settings = load()
    known = _known(settings, name)
    actor = actor_of(reason)
    seconds = span.total_seconds() if span else None
    with opened_record(settings) as store:
        overrides.set_limit(store, known, rate, actor, seconds=seconds)
        _print(settings, store, [known], as_json=as_json)


@limit.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@_reason
@json_lines_option
def reset(*, names: Sequence[str], reason: str, as_json: bool) -> None:
    """Return to the configured rate at once.

    It ends a rate that an operator set, a pause that the provider asked for, and the slow recovery
    after the provider's complaints. Units that are booked already stay booked.

    \b
    Examples:
      notify limit reset sendgrid --reason "they have recovered"
    """
    settings = load()
    known = sorted({_known(settings, name) for name in names})
    actor = actor_of(reason)
    with opened_record(settings) as store:
        changed = overrides.reset_limits(store, known, actor)
        for name in known:
            if name not in changed:
                click.echo(f"{name} was as configured already", err=True)
        _print(settings, store, known, as_json=as_json)


def _print(settings: Settings, store: Store, names: Sequence[str], *, as_json: bool) -> None:
    for each in read_limits(settings, store, everything=True):
        if each.limit.name not in names:
            continue
        if as_json:
            print_json(each.as_json())
        else:
            click.echo(sentence(each))
    if not as_json:
        click.echo("in effect on all workers within 2 seconds")


def _known(settings: Settings, name: str) -> str:
    """Return the limit's full name; a provider's name means the limit of that provider."""
    known = limits(settings)
    if name in known or parent_limit(settings, name) is not None:
        return name
    if provider_limit(name) in known:
        return provider_limit(name)
    names = ", ".join(sorted(known)) or "none"
    raise click.UsageError(f"no limit {name} is configured; configured limits: {names}")
