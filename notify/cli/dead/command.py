"""`notify dead`: what could not be delivered, for operators to look at, replay or discard."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

import click

from notify.cli.console import Console
from notify.cli.dead import view as view
from notify.cli.dead.body import shown
from notify.cli.dead.choice import (
    Choice,
    actor_of,
    confirm,
    ids_argument,
    json_option,
    letters,
    limit_option,
    reason_option,
    yes_option,
)
from notify.cli.dead.replay import plan, replay
from notify.cli.options.filters import newest_option
from notify.cli.options.given import NUMBER
from notify.cli.record import view as story
from notify.deadletters import discard as discard_letters
from notify.errors import NotifyError
from notify.service import opened_record
from notify.settings import load
from notify.store import Filter, Store
from notify.store.deadletters import (
    ArchivedLetter,
    DeadLetter,
    LetterFilter,
    LetterState,
    read_letter,
    search,
)
from notify.telemetry.terminal import write_bytes


@click.group()
def dead() -> None:
    """Look at dead letters; replay or discard them.

    `notify worker dead` archives what RabbitMQ gave up, and what a worker could not deliver.
    A dead letter waits, or was replayed, or was discarded; `notify maintenance` deletes it when it
    was kept for long enough.

    \b
    Examples:
      notify dead ls --counts --since 1d
      notify dead plan --cause failed --source shop
      notify dead replay --cause failed --source shop --rate 20 --reason "INC-7: SendGrid is back"
    """


@dead.command(name="ls")
@letters
@click.option(
    "--state",
    type=click.Choice([*(state.value for state in LetterState), "all"]),
    default="waiting",
    show_default=True,
    help="Only those that wait, were replayed, or were discarded.",
)
@newest_option
@click.option("--counts", is_flag=True, help="Count by cause instead of listing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def ls(*, wanted: LetterFilter, state: str, limit: int, counts: bool, as_json: bool) -> None:
    """List dead letters, the newest first.

    Options narrow the list and are joined by and. All times are in UTC.

    \b
    Examples:
      notify dead ls
      notify dead ls --cause contract --source shop --since 2h
      notify dead ls --text order-1017 --state all
      notify dead ls --counts --json
    """
    wanted = replace(wanted, state=None if state == "all" else LetterState(state))
    with opened_record(load()) as store, store.reading() as connection:
        if counts:
            _print_counts(search.count_letters(connection, wanted), as_json=as_json)
            return
        found = search.find_letters(connection, wanted, limit=limit + 1)
    if not found:
        click.echo("no dead letter matches", err=True)
    elif as_json:
        for each in found[:limit]:
            click.echo(_dumped(asdict(each)))
    else:
        story.print_whole(Console(), view.listing(found[:limit]))
    if len(found) > limit:
        click.echo(f"only the newest {limit} are listed; --limit raises that", err=True)


@dead.command()
@click.argument("id_", metavar="ID", type=NUMBER)
@click.option(
    "--raw",
    is_flag=True,
    help="Print the body's bytes and nothing else; on a terminal, what could steer it is escaped.",
)
@click.option("--show-recipients", is_flag=True, help="Show recipients whole.")
@json_option
def show(*, id_: int, raw: bool, show_recipients: bool, as_json: bool) -> None:
    """Show one dead letter: why it died, what became of its notification, and its body.

    Recipients in the body are masked. Where it cannot be read, what looks like an address or a
    number is.

    \b
    Examples:
      notify dead show 17
      notify dead show 17 --raw > body.json
    """
    with opened_record(load()) as store:
        letter, held = _one(store, id_)
        if raw:
            write_bytes(held.body)
        elif as_json:
            click.echo(_dumped(asdict(letter) | _as_json(held, whole=show_recipients)))
        else:
            _print_letter(store, letter, held, whole=show_recipients)


@dead.command()
@ids_argument
@letters
@limit_option
@reason_option
@yes_option
def discard(
    *, ids: Sequence[int], wanted: LetterFilter, limit: int | None, reason: str, yes: bool
) -> None:
    """Mark dead letters as of no more interest.

    They stay in the archive, with their notifications as they are; `notify dead ls --state
    discarded` lists them.

    \b
    Examples:
      notify dead discard 17 18 --reason "test messages"
      notify dead discard --cause expired --until 7d --reason "too late for all of them"
    """
    choice = Choice(ids, wanted, limit)
    actor = actor_of(reason)
    with opened_record(load()) as store:
        chosen = choice.find(store)
        if not chosen:
            click.echo(choice.none(store), err=True)
            return
        confirm(f"Discard {len(chosen):,} dead letters?", yes=yes)
        number = discard_letters(store, chosen, actor, now=store.clock())
    click.echo(f"{number:,} dead letters were discarded")


dead.add_command(plan)
dead.add_command(replay)


def _one(store: Store, id_: int) -> tuple[DeadLetter, ArchivedLetter]:
    with store.reading() as connection:
        found = search.find_letters(connection, LetterFilter(ids=[id_]), limit=1)
        held = read_letter(connection, id_)
    if not found or held is None:
        raise NotifyError(f"there is no dead letter {id_}; `notify dead ls` lists them")
    return found[0], held


def _print_letter(store: Store, letter: DeadLetter, held: ArchivedLetter, *, whole: bool) -> None:
    console = Console()
    story.print_whole(console, view.facts(letter))
    if letter.notification_id is not None:
        told = store.known_as(letter.notification_id, source=letter.source)
        of_batch = Filter(batch_id=letter.notification_id, source=letter.source)
        counts = {} if told else store.count(of_batch)
        console.print()
        if told:
            story.print_whole(console, story.timeline(told[0]))
        elif counts:
            console.print(story.totals(counts))
        else:
            console.print("Its notification is not on record.")
    click.echo(f"\nproperties\n{_dumped(held.properties, indent=2)}")
    click.echo(f"\nbody, {len(held.body):,} bytes\n{shown(held.body, whole=whole)}")
    if held.mended_body is not None:
        size = f"{len(held.mended_body):,} bytes to {held.mended_key}"
        click.echo(f"\nmended body, {size}\n{shown(held.mended_body, whole=whole)}")


def _as_json(held: ArchivedLetter, *, whole: bool) -> dict[str, Any]:
    """Make JSON of what a letter holds: the very bytes, or what may be shown of them."""
    mended = held.mended_body
    return {
        "properties": held.properties,
        "body_base64": base64.b64encode(held.body).decode() if whole else None,
        "body": shown(held.body, whole=whole),
        "mended_body": shown(mended, whole=whole) if mended is not None else None,
        "mended_key": held.mended_key,
    }


def _print_counts(counts: Any, *, as_json: bool) -> None:
    if as_json:
        click.echo(_dumped(counts))
    elif counts:
        Console().print(view.totals(counts))
    else:
        click.echo("no dead letter matches", err=True)


def _dumped(value: object, *, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent, default=_plain)


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
