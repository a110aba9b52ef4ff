"""`notify keyring`: the keys that seal personal data in the record."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import click

from notify.cli.console import Console
from notify.cli.options.actor import operator, reason_option
from notify.cli.output import plain_table
from notify.errors import ConfigError, NotifyError
from notify.keyring import HASH, NAME, Keyring, new_key
from notify.privacy import rotate as rotate_all
from notify.service.record import opened_record
from notify.settings import PrivacySettings, keyring_of, load
from notify.store import Actor
from notify.store.privacy import reseal


@click.group()
def keyring() -> None:
    """Create, check and rotate the keys that seal personal data in the record.

    The keyring is the credential NOTIFY_KEYRING: one key a line; the first seals, and all of them
    open. docs/privacy.md says how to introduce it, and how to rotate the key while workers run.

    \b
    Examples:
      notify keyring new > /etc/notify/credentials/NOTIFY_KEYRING
      notify keyring check
      notify keyring rotate --reason "yearly rotation"
    """


def _name(_context: click.Context, _option: click.Parameter, name: str | None) -> str:
    name = name or f"k{datetime.now(UTC):%Y%m%d}"
    if name == HASH or not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,30}", name):
        raise click.BadParameter(f"a key's name is a-z, 0-9, - and _, at most 31, and not {HASH}")
    return name


@keyring.command()
@click.argument("name", metavar="[NAME]", required=False, callback=_name)
def new(name: str) -> None:
    """Print a new key, named NAME or by today's date; a whole keyring if there is none.

    To rotate the key, add the printed line at the end of the keyring on every machine and restart
    the workers, so that all of them can open what it seals. Then move it to the top, restart them
    again, and run `notify keyring rotate`. The key named hash is not rotated.

    \b
    Example:
      notify keyring new > /etc/notify/credentials/NOTIFY_KEYRING
    """
    known = _known()
    if name in known.names:
        raise NotifyError(f"{NAME} has a key named {name} already: choose another name")
    click.echo(f"{name}:{new_key()}")
    if known.current is None:
        click.echo(f"{HASH}:{new_key()}")


def _known() -> Keyring:
    try:
        return keyring_of(PrivacySettings())
    except ConfigError as error:
        raise NotifyError(f"the configured keyring is broken: {error}") from None


@keyring.command()
def check() -> None:
    """Count the rows that each key has sealed, and name the keys that are not needed any more.

    It changes nothing. Exit code 1 means that the record is sealed with a key that the keyring
    lacks, or that the keyring has another key of the same name: no worker starts with it.

    \b
    Example:
      notify keyring check
    """
    settings = load()
    known = keyring_of(settings.privacy)
    with opened_record(settings) as store, store.reading() as connection:
        sealing = reseal.count(connection)
    table = plain_table()
    table.add_column("key", no_wrap=True)
    for title in ("notifications", "dead letters"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("use", no_wrap=True)
    for name in dict.fromkeys([*known.names, None]):
        counts = [sealing.notifications[name], sealing.letters[name]]
        role = _role(known, name, rows=sum(counts), receipts=sealing.receipts[name])
        table.add_row(name or "(in clear)", *(f"{each:,}" for each in counts), role)
    Console().print(table)


def _role(known: Keyring, name: str | None, *, rows: int, receipts: int) -> str:
    if name is None:
        return "`notify keyring rotate` seals it" if rows and known.current else ""
    if name == known.current:
        return "seals and opens"
    if receipts and not rows:
        return "opens receipts that wait"
    return "opens" if rows else "opens; nothing is sealed with it"


@keyring.command()
@click.option(
    "--batch",
    type=click.IntRange(min=1, max=10_000),
    default=200,
    show_default=True,
    help="Rows in one transaction.",
)
@reason_option(required=False)
def rotate(*, batch: int, reason: str) -> None:
    """Seal all rows that are in clear, or sealed with another key, with the first key.

    It may run beside the workers, and pauses after each transaction for as long as that took. It
    may be stopped at any time; run it again for the rest. Run it when all workers have the new key
    on top.

    \b
    Examples:
      notify keyring rotate --reason "yearly rotation"
      notify keyring check
    """
    settings = load()
    if keyring_of(settings.privacy).current is None:
        raise NotifyError(f"there is no {NAME} to seal with; `notify keyring new` creates one")
    with opened_record(settings) as store:
        done = rotate_all(store, Actor(operator(), reason), now=store.clock(), batch=batch)
    click.echo(f"sealed again: {done.notifications:,} notifications, {done.letters:,} dead letters")
    for name in done.forgotten:
        click.echo(f"the key {name} seals nothing any more: remove it from {NAME}")
