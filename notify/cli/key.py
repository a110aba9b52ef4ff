"""`notify key`: the keys of the HTTP API."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import click

from notify.apikeys import ApiKey, IssuedKey, KeyScope, issue_key, list_keys, revoke_key, rotate_key
from notify.cli.console import Console, Table
from notify.cli.options.actor import actor_of, reason_option
from notify.cli.options.as_json import json_lines_option, json_option
from notify.cli.options.span import Span, span_option
from notify.cli.output import plain_table, print_json, print_whole, utc
from notify.contract import is_source
from notify.service.record import opened_record
from notify.settings import load

OVERLAP = timedelta(days=1)
"""How long a key stays valid beside the one that replaces it."""
_LONGEST_NAME = 64


def _source(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    if value is not None and not is_source(value):
        raise click.BadParameter("write a-z, 0-9, - and _, at most 63, such as shop")
    return value


def _name(_context: click.Context, _option: click.Parameter, value: str) -> str:
    if len(value) > _LONGEST_NAME or not value.isprintable():
        raise click.BadParameter(f"write at most {_LONGEST_NAME} characters on one line")
    return value


@click.group()
def key() -> None:
    """Make, list, replace and revoke keys of the HTTP API.

    A key belongs to one source, and sees nothing of another one. The record has its hash: the key
    itself is printed once.

    \b
    Examples:
      notify key new --source shop --reason "checkout sends order mail"
      notify key ls --source shop
      notify key rotate 3 --reason "yearly" --overlap 2d
      notify key revoke 3 --reason "INC-12: it was in a log"
    """


@key.command()
@click.option(
    "--source", required=True, metavar="NAME", callback=_source, help="The source it acts for."
)
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([each.value for each in KeyScope]),
    help="What it permits: send (and cancel), read, suppress. May be given several times. Default:"
    " send and read.",
)
@click.option("--name", default="", metavar="TEXT", callback=_name, help="What will use it.")
@span_option("it is revoked")
@reason_option()
@json_option
def new(
    *,
    source: str,
    scopes: tuple[str, ...],
    name: str,
    span: timedelta | None,
    reason: str,
    as_json: bool,
) -> None:
    """Make a key, and print it once.

    \b
    Examples:
      notify key new --source shop --reason "checkout"
      notify key new --source crm --scope read --scope suppress --for 365d --reason "ticket 4711"
      KEY=$(notify key new --source shop --reason "tests" --json | jq -r .key)
    """
    actor = actor_of(reason)
    wanted = [KeyScope(each) for each in scopes] or [KeyScope.SEND, KeyScope.READ]
    with opened_record(load()) as store:
        expires_at = store.clock() + span if span else None
        issued = issue_key(
            store, source=source, scopes=wanted, name=name, expires_at=expires_at, actor=actor
        )
    _print_issued(issued, as_json=as_json)


@key.command()
@click.option("--source", metavar="NAME", callback=_source, help="Only keys of this source.")
@click.option("--all", "ended", is_flag=True, help="Also keys that were revoked or have expired.")
@json_lines_option
def ls(*, source: str | None, ended: bool, as_json: bool) -> None:
    """List keys, the oldest first. All times are in UTC; the last use is to the minute.

    \b
    Examples:
      notify key ls
      notify key ls --all --json | jq -r 'select(.used_at == null) | .id'
    """
    with opened_record(load()) as store:
        found = list_keys(store, source=source, ended=ended)
        now = store.clock()
    if as_json:
        for each in found:
            print_json(_as_json(each))
    elif found:
        print_whole(Console(), _listing(found, now=now))
    else:
        click.echo("there is no such key", err=True)


@key.command()
@click.argument("id_", metavar="ID", type=click.IntRange(min=1))
@click.option(
    "--overlap",
    type=Span(),
    metavar="SPAN",
    default=OVERLAP,
    show_default="1d",
    help="How long the old key stays valid.",
)
@reason_option()
@json_option
def rotate(*, id_: int, overlap: timedelta, reason: str, as_json: bool) -> None:
    """Replace a key: print a new one with the same source and scopes; the old one ends later.

    Both are valid until then, so that programs can be changed one after another.

    \b
    Examples:
      notify key rotate 3 --reason "yearly"
      notify key rotate 3 --overlap 1h --reason "INC-12" --json | jq -r .key
    """
    actor = actor_of(reason)
    with opened_record(load()) as store:
        issued = rotate_key(store, id_, overlap=overlap, actor=actor)
    _print_issued(issued, as_json=as_json)


@key.command()
@click.argument("id_", metavar="ID", type=click.IntRange(min=1))
@reason_option()
@json_option
def revoke(*, id_: int, reason: str, as_json: bool) -> None:
    """Revoke a key: the API refuses it within two seconds.

    \b
    Example:
      notify key revoke 3 --reason "INC-12: it was in a log"
    """
    actor = actor_of(reason)
    with opened_record(load()) as store:
        revoked = revoke_key(store, id_, actor)
    if as_json:
        print_json({"revoked": revoked.id, "source": revoked.source})
    else:
        click.echo(f"key {revoked.id} of {revoked.source} is revoked")


def _print_issued(issued: IssuedKey, *, as_json: bool) -> None:
    if as_json:
        print_json({"key": issued.secret, **_as_json(issued.key)})
        return
    click.echo(issued.secret)
    scopes = ", ".join(sorted(issued.key.scopes))
    click.echo(
        f"key {issued.key.id} of {issued.key.source} may {scopes}; it is not shown again", err=True
    )


def _as_json(each: ApiKey) -> dict[str, Any]:
    return {
        "id": each.id,
        "source": each.source,
        "name": each.name,
        "scopes": sorted(each.scopes),
        "created_at": each.created_at,
        "expires_at": each.expires_at,
        "revoked_at": each.revoked_at,
        "used_at": each.used_at,
        "replaces": each.replaces,
    }


def _listing(keys: Sequence[ApiKey], *, now: datetime) -> Table:
    table = plain_table()
    for title in ("id", "source", "name", "scopes", "made", "ends", "last use"):
        table.add_column(title)
    for each in keys:
        table.add_row(
            *(str(each.id), each.source, each.name, " ".join(sorted(each.scopes))),
            *(_day(each.created_at), _end(each, now=now), _day(each.used_at)),
        )
    return table


def _end(each: ApiKey, *, now: datetime) -> str:
    if each.revoked_at is not None:
        return f"revoked {_day(each.revoked_at)}"
    if each.expires_at is None:
        return "never"
    return _day(each.expires_at) if each.live(now) else f"expired {_day(each.expires_at)}"


def _day(at: datetime | None) -> str:
    return "never" if at is None else utc(at, timespec="minutes")
