"""`notify dead plan` and `notify dead replay`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID, uuid4

import click

from notify.cli.console import Console
from notify.cli.dead import replay_view
from notify.cli.dead.choice import Choice, ReplayOptions, choice, replay_options
from notify.cli.dead.edit import EditRequest, edit_options
from notify.cli.dead.progress import followed, scheduling, words
from notify.cli.options.actor import actor_of, reason_option
from notify.cli.options.as_json import json_option
from notify.cli.options.confirmation import confirm, yes_option
from notify.cli.output import print_json
from notify.deadletters import Edit, Replayer, ReplayPlan, ReplayRequest
from notify.errors import NotifyError
from notify.service.deadletters import open_replayer
from notify.service.record import opened_record
from notify.settings import load
from notify.status.replays import plan_as_json
from notify.store import Actor, Store
from notify.store.deadletters import read_waiting


@click.command()
@choice
@replay_options
@json_option
def plan(*, choice: Choice, options: ReplayOptions, as_json: bool) -> None:
    """Show what a replay would do and how long it takes; change nothing.

    It assesses every waiting dead letter that is chosen by what the record knows of its
    notifications at this moment, and renders their templates: run it with the workers'
    configuration. Without IDs and options it plans for all of them.

    \b
    Examples:
      notify dead plan
      notify dead plan --cause failed --code 503 --rate 50
      notify dead plan 17 18 --include-unknown
    """
    settings = load()
    with opened_record(settings) as store:
        replayer = open_replayer(settings, store)
        request = requested(store, replayer, choice.find(store), options)
        _show_plan(store, replayer.plan(request), choice, request, as_json=as_json)


@click.command()
@choice
@replay_options
@reason_option()
@yes_option
@click.option("--dry-run", is_flag=True, help="Only plan, as `notify dead plan`.")
@edit_options
@click.option(
    "--wait/--no-wait",
    default=None,
    help="Wait until all have ended. Default: on a terminal only.",
)
@json_option
def replay(
    *,
    choice: Choice,
    options: ReplayOptions,
    edit: EditRequest,
    reason: str,
    yes: bool,
    dry_run: bool,
    wait: bool | None,
    as_json: bool,
) -> None:
    """Send the notifications of dead letters again, if they were never sent.

    The command shows the plan and asks. Notifications that the provider accepted are refused; those
    that are expired or in flight are skipped. Each of the others is scheduled, at --rate, and the
    workers send it under its own id: within the limits, and never twice. So the command may be
    stopped, even killed, and run again, and several operators may run it at once. More than 1,000
    dead letters need a plan: `notify plan new replay`.

    \b
    Examples:
      notify dead replay --cause failed --since 2h --reason "INC-7: SendGrid is back"
      notify dead replay 17 --include-unknown --reason "not in Twilio's log"
      notify dead replay --edit 17 --reason "INC-9: a comma too many"
      notify dead replay 17 --body fixed.json --key email.normal.shop --reason "INC-9" --yes
    """
    edit.check(chosen=len(choice.ids))
    actor = actor_of(reason)
    settings = load()
    with opened_record(settings) as store:
        replayer = open_replayer(settings, store)
        chosen = choice.find(store) if dry_run else choice.find_few(store, action="replay")
        request = requested(store, replayer, chosen, options, edit)
        planned = replayer.plan(request)
        if dry_run or not as_json:
            _show_plan(store, planned, choice, request, as_json=as_json)
        elif planned.empty:
            print_json({"replay_id": None, "notifications": 0})
        _refuse_unfit_edit(request, planned)
        if dry_run or planned.empty:
            return
        confirm("Replay them?", yes=yes)
        done = _perform(replayer, request, actor, reports=planned.reports, as_json=as_json)
        if done and (sys.stderr.isatty() if wait is None else wait):
            _follow(store, done, as_json=as_json)


def requested(
    store: Store,
    replayer: Replayer,
    ids: Sequence[int],
    options: ReplayOptions,
    edit: EditRequest | None = None,
) -> ReplayRequest:
    """Return what to replay: the chosen letters, the one letter edited if *edit* asks for it."""
    request = ReplayRequest(ids, rate=options.rate, include_unknown=options.include_unknown)
    if not edit or not request.ids:
        return request
    with store.reading() as connection:
        letters = read_waiting(connection, request.ids)
    if not letters:
        return request

    def problem(edited: Edit) -> str:
        return "; ".join(replayer.plan(replace(request, edit=edited)).unfit.values())

    return replace(request, edit=edit.edited(letters[0], problem=problem))


def _show_plan(
    store: Store, plan: ReplayPlan, choice: Choice, request: ReplayRequest, *, as_json: bool
) -> None:
    if as_json:
        print_json(plan_as_json(plan, rate=request.rate, now=store.clock()))
        return
    if not request.ids:
        click.echo(choice.why_none(store), err=True)
        return
    total = sum(plan.eligibilities.values())
    asked = total - plan.reports
    click.echo(f"{plan.letters:,} waiting dead letters, requesting {asked:,} notifications\n")
    Console().print(replay_view.forecast(plan, include_unknown=request.include_unknown))
    for line in replay_view.unfit(plan):
        click.echo(line)
    if plan.replayed:
        click.echo(f"\n{replay_view.time_needed(plan, request.rate, now=store.clock())}")
    elif plan.empty:
        click.echo("\nThere is nothing to replay.")


def _refuse_unfit_edit(request: ReplayRequest, plan: ReplayPlan) -> None:
    if request.edit and plan.unfit:
        raise NotifyError(f"it cannot be sent yet: {'; '.join(plan.unfit.values())}")


def _perform(
    replayer: Replayer, request: ReplayRequest, actor: Actor, *, reports: int, as_json: bool
) -> list[UUID]:
    """Schedule all notifications, and return their ids."""
    replay_id = uuid4()
    done: list[UUID] = []
    steps = replayer.replay(request, actor, replay_id=replay_id)
    try:
        for step in scheduling(steps, letters=len(request.ids)):
            done += step.replayed
    except KeyboardInterrupt:
        raise NotifyError(
            f"stopped: {len(done):,} notifications are scheduled and will be sent;"
            " run it again for the rest"
        ) from None
    if as_json:
        print_json({"replay_id": str(replay_id), "notifications": len(done)})
    else:
        click.echo(f"{len(done):,} notifications are scheduled, as replay {replay_id}")
        if reports:
            click.echo(f"{reports:,} receipts and reports are published again to their queues")
    return done


def _follow(store: Store, done: Sequence[UUID], *, as_json: bool) -> None:
    try:
        ended = followed(store, done)
    except KeyboardInterrupt:
        click.echo("they are sent without this command; `notify ls` shows them", err=True)
    else:
        click.echo(f"ended: {words(ended)}", err=as_json)
