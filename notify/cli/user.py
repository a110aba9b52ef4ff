"""`notify user`: the console's local users."""

from __future__ import annotations

import sys
from dataclasses import asdict

import click

from notify.cli.console import Console
from notify.cli.options.actor import actor_of, reason_option
from notify.cli.options.as_json import json_lines_option
from notify.cli.output import plain_table, print_json, print_whole, utc
from notify.errors import NotifyError
from notify.people import (
    Passwords,
    Role,
    add_account,
    list_accounts,
    remove_account,
    set_password,
)
from notify.service.record import opened_record
from notify.settings import load

_reason = reason_option("Why; kept in the audit.")


@click.group()
def user() -> None:
    """Add, list and remove the console's local users, and set their passwords.

    A viewer reads, an operator also acts and reveals personal data, an admin also changes limits
    and caps. The record keeps an argon2id hash of each password.

    \b
    Examples:
      notify user add ann --role operator --reason "on call from May"
      notify user ls
    """


@user.command()
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice([each.value for each in Role]),
    required=True,
    help="The user's rights.",
)
@_reason
def add(*, name: str, role: str, reason: str) -> None:
    """Add a user. The password is asked for, or is the first line of standard input.

    \b
    Examples:
      notify user add ann --role operator --reason "on call from May"
      notify user add ann --role viewer --reason "support" < password.txt
    """
    actor = actor_of(reason)
    with opened_record(load()) as store:
        add_account(
            store,
            name,
            role=Role(role),
            password=_password(),
            actor=actor,
            passwords=Passwords(),
        )
    click.echo(f"user {name} is added, with the role {role}")


@user.command()
@json_lines_option
def ls(*, as_json: bool) -> None:
    """List the users by name. All times are in UTC.

    \b
    Examples:
      notify user ls
      notify user ls --json | jq -r 'select(.role == "admin") | .name'
    """
    with opened_record(load()) as store:
        found = list_accounts(store)
    if as_json:
        for each in found:
            print_json(asdict(each))
        return
    if not found:
        click.echo("there is no user; `notify user add` adds one", err=True)
        return
    table = plain_table()
    for title in ("name", "role", "added", "password set"):
        table.add_column(title)
    for each in found:
        times = utc(each.created_at), utc(each.changed_at)
        table.add_row(each.name, each.role, *times)
    print_whole(Console(), table)


@user.command()
@click.argument("name")
@_reason
def rm(*, name: str, reason: str) -> None:
    """Remove a user, and end the user's sessions at once.

    \b
    Example:
      notify user rm ann --reason "left the team"
    """
    actor = actor_of(reason)
    with opened_record(load()) as store:
        remove_account(store, name, actor=actor)
    click.echo(f"user {name} is removed")


@user.command()
@click.argument("name")
@_reason
def password(*, name: str, reason: str) -> None:
    """Set a user's password, and end the user's sessions at once.

    It is asked for, or is the first line of standard input.

    \b
    Example:
      notify user password ann --reason "forgotten"
    """
    actor = actor_of(reason)
    with opened_record(load()) as store:
        set_password(store, name, password=_password(), actor=actor, passwords=Passwords())
    click.echo(f"the password of {name} is set")


def _password() -> str:
    if sys.stdin.isatty():
        entered: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        return entered
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise NotifyError(
            "there is no password on standard input: pass it as the first line (`< password.txt`), "
            "or run the command in a terminal, which asks for it"
        )
    return line
