"""`notify dead`: list, show, replay and discard messages that could not be delivered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from uuid import UUID

import click

from notify.cli.console import Console
from notify.cli.dead import view
from notify.cli.dead.choice import Choice, choice, letters
from notify.cli.dead.replay import plan, replay
from notify.cli.options.actor import actor_of, reason_option
from notify.cli.options.as_json import json_lines_option, json_option
from notify.cli.options.confirmation import confirm, yes_option
from notify.cli.options.filters import newest_option
from notify.cli.options.given import NUMBER
from notify.cli.output import print_json, print_whole, report_omitted
from notify.cli.record import view as record_view
from notify.deadletters import discard as discard_letters
from notify.errors import NotifyError
from notify.service.record import opened_record
from notify.settings import load
from notify.status.dead_letters import content_as_json, letter_as_json
from notify.status.letter_body import readable
from notify.status.plain import to_json
from notify.store import Filter, Store
from notify.store.deadletters import (
    ArchivedLetter,
    Cause,
    DeadLetter,
    LetterFilter,
    LetterState,
    count_letters,
    find_letters,
    read_letter,
)
from notify.telemetry.terminal import write_bytes


@click.group()
def dead() -> None:
    """List dead letters; replay or discard them.

    `notify worker dead` archives messages that RabbitMQ or a worker could not deliver. A dead
    letter waits, or was replayed, or was discarded; `notify maintenance` deletes it after its
    retention time.

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
    help="Only letters in this state.",
)
@newest_option
@click.option("--counts", is_flag=True, help="Count by cause instead of listing.")
@json_lines_option
def ls(*, wanted: LetterFilter, state: str, limit: int, counts: bool, as_json: bool) -> None:
    """List dead letters, the newest first.

    A letter is listed if it matches all options. All times are in UTC.

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
            _print_counts(count_letters(connection, wanted), as_json=as_json)
            return
        found = find_letters(connection, wanted, limit=limit + 1)
    if not found:
        click.echo("no dead letter matches", err=True)
    elif as_json:
        for each in found[:limit]:
            print_json(letter_as_json(each))
    else:
        print_whole(Console(), view.listing(found[:limit]))
    report_omitted(len(found), limit=limit)


@dead.command()
@click.argument("id_", metavar="ID", type=NUMBER)
@click.option(
    "--raw",
    is_flag=True,
    help="Print only the body's bytes; on a terminal, control characters are escaped.",
)
@click.option("--show-recipients", is_flag=True, help="Show recipients whole.")
@json_option
def show(*, id_: int, raw: bool, show_recipients: bool, as_json: bool) -> None:
    """Show one dead letter: why it died, its notification's timeline, and its body.

    Recipients in the body are masked; in a body that is not valid JSON, anything that looks like an
    address or a number.

    \b
    Examples:
      notify dead show 17
      notify dead show 17 --raw > body.json
    """
    with opened_record(load()) as store:
        letter, content = _one(store, id_)
        if raw:
            write_bytes(content.body)
        elif as_json:
            values = content_as_json(content, show_recipients=show_recipients)
            print_json(letter_as_json(letter) | values)
        else:
            _print_letter(store, letter, content, show_recipients=show_recipients)


@dead.command()
@choice
@reason_option()
@yes_option
def discard(*, choice: Choice, reason: str, yes: bool) -> None:
    """Mark dead letters as discarded.

    They stay in the archive, and their notifications are not changed; `notify dead ls --state
    discarded` lists them. More than 1,000 need a plan: `notify plan new discard`.

    \b
    Examples:
      notify dead discard 17 18 --reason "test messages"
      notify dead discard --cause expired --until 7d --reason "too late for all of them"
    """
    actor = actor_of(reason)
    with opened_record(load()) as store:
        chosen = choice.find_few(store, action="discard")
        if not chosen:
            click.echo(choice.why_none(store), err=True)
            return
        confirm(f"Discard {len(chosen):,} dead letters?", yes=yes)
        number = discard_letters(store, chosen, actor, now=store.clock())
    click.echo(f"{number:,} dead letters were discarded")


dead.add_command(plan)
dead.add_command(replay)


def _one(store: Store, id_: int) -> tuple[DeadLetter, ArchivedLetter]:
    with store.reading() as connection:
        found = find_letters(connection, LetterFilter(ids=[id_]), limit=1)
        content = read_letter(connection, id_)
    if not found or content is None:
        raise NotifyError(f"there is no dead letter {id_}; `notify dead ls` lists them")
    return found[0], content


def _print_letter(
    store: Store, letter: DeadLetter, content: ArchivedLetter, *, show_recipients: bool
) -> None:
    console = Console()
    print_whole(console, view.facts(letter))
    if letter.notification_id is not None:
        _print_notification(store, letter.notification_id, source=letter.source)
    properties = to_json(content.properties, indent=2)
    body = readable(content.body, show_recipients=show_recipients)
    click.echo(f"\nproperties\n{properties}")
    click.echo(f"\nbody, {len(content.body):,} bytes\n{body}")
    if content.mended_body is not None:
        size = f"{len(content.mended_body):,} bytes to {content.mended_key}"
        edited = readable(content.mended_body, show_recipients=show_recipients)
        click.echo(f"\nedited body, {size}\n{edited}")


def _print_notification(store: Store, id_: UUID, *, source: str | None) -> None:
    """Print the timeline of a notification, or the statuses of a batch."""
    console = Console()
    console.print()
    stories = store.known_as(id_, source=source)
    if stories:
        print_whole(console, record_view.timeline(stories[0]))
        return
    counts = store.count(Filter(batch_id=id_, source=source))
    if counts:
        console.print(record_view.totals(counts))
    else:
        console.print("Its notification is not on record.")


def _print_counts(counts: Mapping[Cause, int], *, as_json: bool) -> None:
    if as_json:
        print_json(counts)
    elif counts:
        Console().print(view.totals(counts))
    else:
        click.echo("no dead letter matches", err=True)
