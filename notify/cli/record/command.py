"""`notify ls`, `notify show` and `notify migrate`: list, show and migrate the record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

import click

from notify.cli.console import Console
from notify.cli.options.as_json import json_lines_option, json_option
from notify.cli.options.filters import filters, newest_option, source_option
from notify.cli.output import print_json, print_whole, report_omitted
from notify.cli.record import view
from notify.cli.record.id_prefix import IdPrefix, dead_letters_of, print_letters, resolved
from notify.errors import NotifyError
from notify.message import Status
from notify.service.record import opened_record
from notify.settings import load
from notify.status.notification import batch_as_json, masked, story_as_json, summary_as_json
from notify.store import Filter, Story, Summary
from notify.store.db import revision_problem

_show_recipients = click.option(
    "--show-recipients", is_flag=True, help="Show recipients whole instead of a•••@example.com."
)


@click.command()
@click.option(
    "--check", is_flag=True, help="Change nothing; exit 1 if the tables need a migration."
)
def migrate(check: bool) -> None:
    """Migrate the record's tables to the revision that this version needs.

    Run it once per deployment, before the workers start. It may run again, and on several machines
    at once. The database is that of store.url in the configuration.

    \b
    Examples:
      notify migrate
      notify migrate --check || echo "migrate first"
    """
    with opened_record(load(), needs_tables=False) as store:
        if check:
            current, needed = store.revision()
            if not store.fits():
                raise NotifyError(revision_problem(current, needed))
        else:
            current, needed = store.migrate()
    if check and current != needed:
        click.echo(
            f"the record's tables are newer, at revision {current}: this version works with them"
        )
    elif current == needed:
        click.echo(f"the record's tables are at revision {needed}: nothing to do")
    else:
        before = f"revision {current}" if current else "nothing"
        click.echo(f"the record's tables were migrated from {before} to revision {needed}")


@click.command()
@filters
@newest_option
@click.option("--counts", is_flag=True, help="Count by status instead of listing.")
@_show_recipients
@json_lines_option
def ls(*, wanted: Filter, limit: int, counts: bool, show_recipients: bool, as_json: bool) -> None:
    """List recorded notifications, the newest first.

    A notification is listed if it matches all options. All times are in UTC. Recipients are masked.

    \b
    Examples:
      notify ls --status failed --since 2h
      notify ls --to ann@example.com --show-recipients
      notify ls --counts --since 1d --lane critical
      notify ls --json --limit 1000 | jq -r .id
    """
    with opened_record(load()) as store:
        if counts:
            _print_counts(store.count(wanted), as_json=as_json)
            return
        found = store.find(wanted, limit=limit + 1)
    _print_list(_shown(found[:limit], show_recipients), as_json=as_json)
    report_omitted(len(found), limit=limit)


@click.command()
@click.argument("digits", metavar="ID", type=IdPrefix())
@source_option
@_show_recipients
@json_option
def show(digits: str, source: str | None, show_recipients: bool, as_json: bool) -> None:
    """Show one notification and its timeline.

    The first 4 digits of the ID or more are enough if they are unique. For the ID of a batch, it
    shows the status of each recipient. If several sources use the ID, it shows the notification of
    each. An ID that is not on record is searched for in the dead letters. All times are in UTC.
    The recipient is masked.

    \b
    Examples:
      notify show 0b0e6a52
      notify show 0b0e6a52-8f0e-4c52-9c2e-0f5b6b1f7a10 --json | jq .attempts
    """
    with opened_record(load()) as store:
        id_ = resolved(store, digits)
        of_batch = Filter(batch_id=id_, source=source)
        stories = store.known_as(id_, source=source)
        counts = store.count(of_batch)
        found = store.find(of_batch, limit=sum(counts.values())) if counts else []
        letters = [] if stories or found else dead_letters_of(store, id_, source=source)
    for number, story in enumerate(stories):
        if number and not as_json:
            click.echo()
        _print_story(story, *_shown([story.summary], show_recipients), as_json=as_json)
    if found:
        _print_batches(id_, _shown(found, show_recipients), as_json=as_json)
    if letters:
        print_letters(letters, as_json=as_json)
    elif not stories and not found:
        raise NotifyError(
            f"no notification and no batch {id_} is on record or in the dead letters: no worker"
            " has received it yet"
        )


def _shown(summaries: Sequence[Summary], show_recipients: bool) -> list[Summary]:
    return list(summaries) if show_recipients else [masked(each) for each in summaries]


def _print_list(summaries: Sequence[Summary], *, as_json: bool) -> None:
    if not summaries:
        click.echo("no notification on record matches", err=True)
    elif as_json:
        for each in summaries:
            print_json(summary_as_json(each))
    else:
        print_whole(Console(), view.listing(summaries))


def _print_counts(counts: dict[Status, int], *, as_json: bool) -> None:
    if as_json:
        print_json(counts)
    elif counts:
        Console().print(view.totals(counts))
    else:
        click.echo("no notification on record matches", err=True)


def _print_story(story: Story, summary: Summary, *, as_json: bool) -> None:
    if as_json:
        print_json(story_as_json(story, summary))
        return
    console = Console()
    print_whole(console, view.facts(summary))
    console.print()
    print_whole(console, view.timeline(story))


def _print_batches(id_: UUID, summaries: Sequence[Summary], *, as_json: bool) -> None:
    for source in dict.fromkeys(each.source for each in summaries):
        members = [each for each in summaries if each.source == source]
        _print_batch(id_, Counter(each.status for each in members), members, as_json=as_json)


def _print_batch(
    id_: UUID, counts: dict[Status, int], summaries: Sequence[Summary], *, as_json: bool
) -> None:
    if as_json:
        print_json(batch_as_json(id_, counts, summaries))
        return
    console = Console()
    console.print(f"batch {id_}\n", highlight=False)
    console.print(view.totals(counts))
    console.print()
    print_whole(console, view.members(summaries))
