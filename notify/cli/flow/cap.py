"""`notify cap`: the use of caps; allow more in the current span, or count again from 0."""

from __future__ import annotations

import click

from notify.cli.console import Console
from notify.cli.options.actor import actor_of, reason_option
from notify.cli.options.as_json import json_lines_option
from notify.cli.options.number import NumberRange
from notify.cli.output import plain_table, print_json, print_whole
from notify.errors import NotifyError
from notify.flow import cap_overrides
from notify.service.flow import caps
from notify.service.record import opened_record
from notify.settings import Settings, load
from notify.status.caps import CapStatus, read_caps


@click.group()
def cap() -> None:
    """List the caps and their use, and change a count in its current span.

    Messages beyond a cap end as suppressed. A lasting change is one of `caps` in the
    configuration, which workers read at once after `systemctl reload`.

    \b
    Examples:
      notify cap ls
      notify cap allow shop-quota:crm 500 --reason "INC-7: the campaign was agreed"
      notify cap reset shop-quota:crm --reason "they were test messages"
    """


@cap.command(name="ls")
@json_lines_option
def ls(*, as_json: bool) -> None:
    """List the caps with the counts of the current span, the most used first.

    Counts of recipients are not listed. All times are in UTC.

    \b
    Examples:
      notify cap ls
      notify cap ls --json | jq -r 'select(.used >= .most) | .name'
    """
    settings = load()
    with opened_record(settings) as store:
        found = read_caps(settings, store)
    if as_json:
        for each in found:
            for row in each.as_json():
                print_json(row)
    elif found:
        _print_table(found)
    else:
        click.echo("no cap is configured", err=True)


_reason = reason_option("Why; kept in the audit.")


@cap.command()
@click.argument("name", metavar="NAME")
@click.argument("amount", metavar="AMOUNT", type=NumberRange(min=0, max=1e9, min_open=True))
@_reason
def allow(*, name: str, amount: float, reason: str) -> None:
    """Allow AMOUNT more in the current span: the count is lowered by it.

    NAME is that of a cap, or CAP:SOURCE for a cap of each source, as `ls` shows it. The next span
    is as configured. Messages that were suppressed before are not sent.

    \b
    Examples:
      notify cap allow shop-quota:crm 500 --reason "INC-7: the campaign was agreed"
    """
    settings = load()
    count, actor = _known(settings, name), actor_of(reason)
    with opened_record(settings) as store:
        used = cap_overrides.allow_more(store, count, amount, actor)
    click.echo(f"{name}: {used:,.12g} of {count.most:,.12g} used, in effect now")


@cap.command()
@click.argument("name", metavar="NAME")
@_reason
def reset(*, name: str, reason: str) -> None:
    """Count again from 0 in the current span.

    \b
    Examples:
      notify cap reset shop-quota:crm --reason "they were test messages"
    """
    settings = load()
    count, actor = _known(settings, name), actor_of(reason)
    with opened_record(settings) as store:
        used = cap_overrides.reset_cap(store, count, actor)
    click.echo(f"{name}: {used:,.12g} of {count.most:,.12g} used, in effect now")


def _known(settings: Settings, name: str) -> cap_overrides.CapCount:
    try:
        return cap_overrides.cap_count(caps(settings), name)
    except NotifyError as error:
        raise click.UsageError(str(error)) from None


def _print_table(found: list[CapStatus]) -> None:
    table = plain_table()
    table.add_column("cap", no_wrap=True)
    for title in ("used", "most"):
        table.add_column(title, no_wrap=True, justify="right")
    for title in ("counts", "begins again"):
        table.add_column(title, no_wrap=True)
    for each in found:
        for row in each.as_json():
            used = "" if row["used"] is None else f"{row['used']:,.12g}"
            counts = f"{each.cap.unit} {each.cap.period.each}"
            ends = f"{each.ends:%Y-%m-%d %H:%M}"
            table.add_row(row["name"], used, f"{row['most']:,.12g}", counts, ends)
    print_whole(Console(), table)
