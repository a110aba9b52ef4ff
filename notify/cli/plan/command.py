"""`notify plan`: list, show, start and stop bulk plans."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import click

from notify.cli.console import Console
from notify.cli.options.actor import operator, reason_option
from notify.cli.options.as_json import json_lines_option, json_option
from notify.cli.options.confirmation import confirm, yes_option
from notify.cli.options.filters import newest_option
from notify.cli.options.given import NUMBER
from notify.cli.output import print_json, print_whole, report_omitted
from notify.cli.plan import view
from notify.cli.plan.new import new
from notify.cli.plan.progress import followed, found_plan
from notify.errors import NotifyError
from notify.plans import (
    BulkPlan,
    ItemState,
    PlanState,
    find_plans,
    read_items,
    start_plan,
    stop_plan,
)
from notify.service.plans import open_plan_runner
from notify.service.record import opened_record
from notify.settings import load
from notify.status.plans import bulk_plan_as_json, item_as_json
from notify.store import Actor, Store

_id = click.argument("id_", metavar="ID", type=NUMBER)


@click.group()
def plan() -> None:
    """Act on many rows at once, by a plan: make it, show it, start it, stop it.

    A plan freezes its selection and counts what would happen to each item. Started, it acts at its
    rate in `notify worker dead`; it survives a worker that dies, acts once on each item, and can be
    stopped and continued. `notify dead replay` and `notify dead discard` act on up to 1,000 dead
    letters without one.

    \b
    Examples:
      notify plan new replay --cause failed --since 2h --rate 50 --reason "INC-7"
      notify plan show 3
      notify plan start 3 --wait
      notify plan stop 3
    """


plan.add_command(new)


@plan.command(name="ls")
@click.option(
    "--state",
    type=click.Choice([state.value for state in PlanState]),
    callback=lambda _context, _option, value: PlanState(value) if value else None,
    help="Only plans in this state.",
)
@newest_option
@json_lines_option
def ls(*, state: PlanState | None, limit: int, as_json: bool) -> None:
    """List plans, the newest first. All times are in UTC.

    `notify maintenance` deletes a plan privacy.keep_plans days after its last change.

    \b
    Examples:
      notify plan ls
      notify plan ls --state running --json | jq .open
    """
    with opened_record(load()) as store:
        with store.reading() as connection:
            found = find_plans(connection, state=state, limit=limit + 1)
        now = store.clock()
    if not found:
        click.echo("no plan matches", err=True)
    elif as_json:
        for each in found[:limit]:
            print_json(bulk_plan_as_json(each, now=now))
    else:
        print_whole(Console(), view.listing(found[:limit]))
    report_omitted(len(found), limit=limit)


@plan.command()
@_id
@click.option(
    "--items",
    "items",
    type=click.Choice(["all", *(state.value for state in ItemState)]),
    help="List the items in this state too, with the reason of each.",
)
@click.option(
    "--limit",
    type=NUMBER,
    metavar="NUMBER",
    default=1000,
    show_default=True,
    help="List at most so many items.",
)
@json_option
def show(*, id_: int, items: str | None, limit: int, as_json: bool) -> None:
    """Show a plan: its selection, forecast, progress and result.

    \b
    Examples:
      notify plan show 3
      notify plan show 3 --items refused
      notify plan show 3 --json | jq .results
    """
    with opened_record(load()) as store:
        found = found_plan(store, id_)
        now = store.clock()
        listed = []
        if items is not None:
            state = None if items == "all" else ItemState(items)
            with store.reading() as connection:
                listed = read_items(connection, id_, state=state, limit=limit)
    if as_json:
        more = {"items": [item_as_json(each) for each in listed]} if items else {}
        print_json(bulk_plan_as_json(found, now=now) | more)
        return
    _print(found, now=now)
    if listed:
        click.echo()
        print_whole(Console(), view.items(listed))


@plan.command()
@_id
@reason_option("Why now; kept in the audit. Default: the plan's reason.", required=False)
@yes_option
@click.option("--wait", is_flag=True, help="Wait until the plan is done or stopped.")
@click.option(
    "--here", is_flag=True, help="Run it in this process too, if no `notify worker dead` does."
)
@json_option
def start(*, id_: int, reason: str, yes: bool, wait: bool, here: bool, as_json: bool) -> None:
    """Start a plan, or continue one that was stopped.

    `notify worker dead` acts on its items, at the plan's rate. An item that has changed since the
    plan was made is skipped or refused, with the reason. The audit records the start, and each act.

    \b
    Examples:
      notify plan start 3
      notify plan start 3 --yes --wait --json | jq .results
      notify plan start 3 --here
    """
    settings = load()
    with opened_record(settings) as store:
        found = found_plan(store, id_)
        if not as_json:
            _print(found, now=store.clock())
        confirm(f"\n{found.action.capitalize()} {found.open:,}?", yes=yes)
        started = start_plan(store, id_, Actor(operator(), reason or found.reason))
        step = open_plan_runner(settings, store).step if here else None
        if wait or here:
            started = _until_ended(store, id_, step)
        _report(started, now=store.clock(), as_json=as_json)


@plan.command()
@_id
@reason_option("Why; kept in the audit.", required=False)
@json_option
def stop(*, id_: int, reason: str, as_json: bool) -> None:
    """Stop a running plan: no further item is acted on; `notify plan start` continues it.

    Replayed notifications of the last second may still be sent.

    \b
    Examples:
      notify plan stop 3
      notify plan stop 3 --reason "wrong template" --json | jq .open
    """
    with opened_record(load()) as store:
        found = found_plan(store, id_)
        stopped = stop_plan(store, id_, Actor(operator(), reason or found.reason))
        _report(stopped, now=store.clock(), as_json=as_json)


def _until_ended(store: Store, id_: int, step: Callable[[], object] | None) -> BulkPlan:
    try:
        return followed(store, id_, step=step)
    except KeyboardInterrupt:
        raise NotifyError(
            f"plan {id_} goes on in `notify worker dead`: `notify plan stop {id_}` stops it"
        ) from None


def _report(plan: BulkPlan, *, now: datetime, as_json: bool) -> None:
    if as_json:
        print_json(bulk_plan_as_json(plan, now=now))
        return
    click.echo(f"plan {plan.id} is {plan.state}\n")
    Console().print(view.results(plan))


def _print(plan: BulkPlan, *, now: datetime) -> None:
    console = Console()
    print_whole(console, view.facts(plan, now=now))
    if plan.forecast:
        click.echo()
        console.print(view.forecast(plan))
    if plan.started_at is not None:
        click.echo()
        console.print(view.results(plan))
