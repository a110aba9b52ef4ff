"""`notify breaker`: the providers' circuits; list and override them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta

import click

from notify.cli.console import Console
from notify.cli.flow.breaker_history import history
from notify.cli.flow.circuits_view import ends, listing
from notify.cli.options.actor import actor_of, reason_option
from notify.cli.options.as_json import json_lines_option
from notify.cli.options.span import span_option
from notify.cli.output import print_json, print_whole
from notify.flow import overrides
from notify.policies.breaker import Circuit, Mode
from notify.service.flow import breaker_rules
from notify.service.record import opened_record
from notify.settings import Settings, load
from notify.status.circuits import read_circuits
from notify.status.holds import alternatives, read_holds
from notify.store import Store


@click.group()
def breaker() -> None:
    """List the providers' circuits, and open or close them by hand.

    A circuit opens automatically when too many calls fail or are slow, so that no attempt is
    wasted, and closes when the provider has recovered. An override is in effect on all workers
    within 2 seconds, and the audit records who made it and why.

    \b
    Examples:
      notify breaker ls
      notify breaker history --since 1d
      notify breaker open sendgrid --for 30m --reason "their maintenance"
      notify breaker close twilio --for 1h --reason "INC-7: their errors are harmless"
      notify breaker auto sendgrid --reason "the key is renewed"
    """


@breaker.command(name="ls")
@json_lines_option
def ls(*, as_json: bool) -> None:
    """List the circuits of all configured providers, as all workers share them.

    Calls are counted over the circuit's window, a minute by default. All times are in UTC.

    \b
    Examples:
      notify breaker ls
      notify breaker ls --json | jq -r 'select(.state != "closed") | .provider'
    """
    settings = load()
    with opened_record(settings) as store:
        found = read_circuits(store, breaker_rules(settings))
    if as_json:
        for each in found:
            print_json(each.as_json())
    elif found:
        print_whole(Console(), listing(found))
    else:
        click.echo("no provider is configured", err=True)


_providers = click.argument("providers", metavar="PROVIDER...", nargs=-1, required=True)
_reason = reason_option("Why; shown by `notify breaker ls` and kept in the audit.")
_span = span_option("`auto`")


@breaker.command(name="open")
@_providers
@_span
@_reason
@json_lines_option
def open_(*, providers: Sequence[str], span: timedelta | None, reason: str, as_json: bool) -> None:
    """Permit no call to a provider, not even a probe.

    Its channel goes on through the next provider; without one, messages wait in RabbitMQ. A call
    in flight is not cancelled. When SPAN is over, the provider is probed first.

    \b
    Examples:
      notify breaker open sendgrid --for 30m --reason "their maintenance"
      notify breaker open twilio --reason "INC-7: they send everything twice"
    """
    _override(Mode.OPEN, providers, span=span, reason=reason, as_json=as_json)


@breaker.command()
@_providers
@_span
@_reason
@json_lines_option
def close(*, providers: Sequence[str], span: timedelta | None, reason: str, as_json: bool) -> None:
    """Permit all calls to a provider, whatever their outcome.

    Calls are still counted: when SPAN is over, or at `auto`, the circuit may open at once. To
    retry a provider sooner, use `auto` instead.

    \b
    Examples:
      notify breaker close twilio --for 1h --reason "INC-7: their errors are harmless"
    """
    _override(Mode.CLOSED, providers, span=span, reason=reason, as_json=as_json)


@breaker.command()
@_providers
@_span
@_reason
@json_lines_option
def shadow(*, providers: Sequence[str], span: timedelta | None, reason: str, as_json: bool) -> None:
    """Permit all calls, and show in `ls` and in the log what the circuit would do.

    \b
    Examples:
      notify breaker shadow sendgrid --for 1d --reason "new rules, on trial"
    """
    _override(Mode.SHADOW, providers, span=span, reason=reason, as_json=as_json)


@breaker.command()
@_providers
@_reason
@json_lines_option
def auto(*, providers: Sequence[str], reason: str, as_json: bool) -> None:
    """Return a circuit to its rules; if it is open, it is probed at once.

    This also resets a circuit that opened because the provider refused our key: fix that first.

    \b
    Examples:
      notify breaker auto sendgrid --reason "the key is renewed"
    """
    _override(Mode.AUTO, providers, span=None, reason=reason, as_json=as_json)


breaker.add_command(history)


def _override(
    mode: Mode, providers: Sequence[str], *, span: timedelta | None, reason: str, as_json: bool
) -> None:
    settings = load()
    rules = breaker_rules(settings)
    _check(providers, rules)
    actor = actor_of(reason)
    seconds = span.total_seconds() if span else None
    with opened_record(settings) as store:
        circuits = overrides.set_breaker_mode(store, providers, mode, actor, seconds=seconds)
        if as_json:
            for status in read_circuits(store, {name: rules[name] for name in providers}):
                print_json(status.as_json())
            return
        for circuit in circuits:
            click.echo(_sentence(circuit))
            if mode is Mode.OPEN:
                _print_alternatives(settings, store, circuit.provider)
    click.echo("in effect on all workers within 2 seconds")


def _check(providers: Sequence[str], known: Collection[str]) -> None:
    for name in providers:
        if name not in known:
            names = ", ".join(sorted(known)) or "none"
            raise click.UsageError(f"no provider {name} is configured; configured: {names}")


def _sentence(circuit: Circuit) -> str:
    if circuit.mode is Mode.AUTO:
        probed = "" if circuit.flows(0) else ", and is probed by the next call"
        return f"{circuit.provider} follows its rules again{probed}"
    does = {
        Mode.OPEN: "gets no call",
        Mode.CLOSED: "gets all calls, whatever their outcome,",
        Mode.SHADOW: "gets all calls, with its circuit in shadow mode,",
    }[circuit.mode]
    return f"{circuit.provider} {does} {ends(circuit)}"


def _print_alternatives(settings: Settings, store: Store, provider: str) -> None:
    """Print through which providers the channels go on; a forced-open circuit is not one."""
    current = [each.hold for each in read_holds(store)]
    circuits = [each.circuit for each in read_circuits(store, breaker_rules(settings))]
    forced = {circuit.provider for circuit in circuits if circuit.mode is Mode.OPEN}
    for channel, names in alternatives(settings, current, provider).items():
        if others := [name for name in names if name not in forced]:
            click.echo(f"{channel} goes on through {', '.join(others)}")
        else:
            click.echo(f"{channel} has no other provider: it waits")
