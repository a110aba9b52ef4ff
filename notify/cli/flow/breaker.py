"""`notify breaker`: the providers' circuits, to look at and to overrule."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import timedelta

import click

from notify.cli.console import Console
from notify.cli.dead.choice import actor_of
from notify.cli.flow import circuits_view as view
from notify.cli.flow.breaker_history import history
from notify.cli.options.span import Span
from notify.cli.record import view as story
from notify.cli.stopped import others
from notify.policies.breaker import Circuit, Mode
from notify.service import breaker_rules, opened_record
from notify.settings import Settings, load
from notify.store import Store
from notify.store.flow import circuits as shared
from notify.store.flow import holds


@click.group()
def breaker() -> None:
    """Look at the providers' circuits, and open or close them by hand.

    A circuit opens by itself when too many calls fail or crawl, so that no attempt is wasted, and
    closes when the provider is well again. What is said here holds on all workers within 2
    seconds, and the audit keeps who said it and why.

    \b
    Examples:
      notify breaker ls
      notify breaker history --since 1d
      notify breaker open sendgrid --for 30m --reason "their maintenance"
      notify breaker close twilio --for 1h --reason "INC-7: their errors are harmless"
      notify breaker auto sendgrid --reason "the key is renewed"
    """


@breaker.command(name="ls")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def ls(*, as_json: bool) -> None:
    """List the circuits of all configured providers, as all workers share them.

    The calls are those of the window that the circuit judges by, a minute by default. All times
    are in UTC.

    \b
    Examples:
      notify breaker ls
      notify breaker ls --json | jq -r 'select(.state != "closed") | .provider'
    """
    settings = load()
    rules = breaker_rules(settings)
    with opened_record(settings) as store:
        looks = [view.look(store, name, each) for name, each in sorted(rules.items())]
    if as_json:
        for look in looks:
            click.echo(json.dumps(view.dumped(look)))
    elif looks:
        story.print_whole(Console(), view.listing(looks))
    else:
        click.echo("no provider is configured", err=True)


_providers = click.argument("providers", metavar="PROVIDER...", nargs=-1, required=True)
_reason = click.option(
    "--reason", required=True, metavar="TEXT", help="Why; shown by `notify breaker ls`, audited."
)
_span = click.option(
    "--for",
    "span",
    type=Span(),
    metavar="SPAN",
    help="End by itself after 90s, 30m, 2h or 3d; without, it stands until `auto` is said.",
)
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")


@breaker.command(name="open")
@_providers
@_span
@_reason
@_json
def open_(*, providers: Sequence[str], span: timedelta | None, reason: str, as_json: bool) -> None:
    """Let no call pass to a provider, not even a probe.

    Its channel goes on through the next provider; if there is none, messages wait, in RabbitMQ. A
    call that is being made is not cut off. When its time is over, the provider is probed first.

    \b
    Examples:
      notify breaker open sendgrid --for 30m --reason "their maintenance"
      notify breaker open twilio --reason "INC-7: they send everything twice"
    """
    _tell(Mode.OPEN, providers, span=span, reason=reason, as_json=as_json)


@breaker.command()
@_providers
@_span
@_reason
@_json
def close(*, providers: Sequence[str], span: timedelta | None, reason: str, as_json: bool) -> None:
    """Let all calls pass to a provider, however they end.

    Calls are still counted: when the time is over, or at `auto`, the circuit may open at once. To
    have a circuit tried again sooner, say `auto` instead.

    \b
    Examples:
      notify breaker close twilio --for 1h --reason "INC-7: their errors are harmless"
    """
    _tell(Mode.CLOSED, providers, span=span, reason=reason, as_json=as_json)


@breaker.command()
@_providers
@_span
@_reason
@_json
def shadow(*, providers: Sequence[str], span: timedelta | None, reason: str, as_json: bool) -> None:
    """Let all calls pass, and see in `ls` and in the log what the circuit would do.

    \b
    Examples:
      notify breaker shadow sendgrid --for 1d --reason "new rules, on trial"
    """
    _tell(Mode.SHADOW, providers, span=span, reason=reason, as_json=as_json)


@breaker.command()
@_providers
@_reason
@_json
def auto(*, providers: Sequence[str], reason: str, as_json: bool) -> None:
    """Let a circuit judge for itself again; if it is open, it is probed at once.

    This also frees a circuit that opened because the provider refused our key: mend that first.

    \b
    Examples:
      notify breaker auto sendgrid --reason "the key is renewed"
    """
    _tell(Mode.AUTO, providers, span=None, reason=reason, as_json=as_json)


breaker.add_command(history)


def _tell(
    mode: Mode, providers: Sequence[str], *, span: timedelta | None, reason: str, as_json: bool
) -> None:
    settings = load()
    rules = breaker_rules(settings)
    _check(providers, rules)
    actor = actor_of(reason)
    seconds = span.total_seconds() if span else None
    with opened_record(settings) as store:
        with store.writing() as connection:
            # In one order always, so that two operators wait for each other and not in a circle.
            told = [
                shared.set_mode(connection, name, mode, seconds=seconds, actor=actor)
                for name in sorted(set(providers))
            ]
        if as_json:
            for each in told:
                look = view.look(store, each.provider, rules[each.provider])
                click.echo(json.dumps(view.dumped(look)))
            return
        for each in told:
            click.echo(_said(each))
            if mode is Mode.OPEN:
                _tell_of_others(settings, store, each.provider)
    click.echo("in effect on all workers within 2 seconds")


def _check(providers: Sequence[str], known: Collection[str]) -> None:
    for name in providers:
        if name not in known:
            names = ", ".join(sorted(known)) or "none"
            raise click.UsageError(f"no provider {name} is configured; there are {names}")


def _said(circuit: Circuit) -> str:
    if circuit.mode is Mode.AUTO:
        tried = "" if circuit.flows(0) else ", and is probed by the next call"
        return f"{circuit.provider} judges for itself again{tried}"
    does = {
        Mode.OPEN: "gets no call",
        Mode.CLOSED: "gets all calls, however they end,",
        Mode.SHADOW: "gets all calls, and is judged in the shadow,",
    }[circuit.mode]
    return f"{circuit.provider} {does} {view.until(circuit.mode_until)}"


def _tell_of_others(settings: Settings, store: Store, provider: str) -> None:
    with store.reading() as connection:
        standing, now = holds.current(connection)
        circuits = shared.current(connection, settings.providers)
    shut = {name for name, each in circuits.items() if each.at(now).mode is Mode.OPEN}
    for channel, names in others(settings, standing, provider).items():
        if left := [name for name in names if name not in shut]:
            click.echo(f"{channel} goes on through {', '.join(left)}")
        else:
            click.echo(f"{channel} has no other provider: it waits")
