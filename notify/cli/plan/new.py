"""`notify plan new`: one command for each action."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import click

from notify.cli.console import Console
from notify.cli.dead.choice import letters
from notify.cli.options.actor import actor_of, reason_option
from notify.cli.options.as_json import json_option
from notify.cli.options.confirmation import confirm, yes_option
from notify.cli.options.filters import ROUTE, Command, filters, grouped, template_option
from notify.cli.options.given import NUMBER
from notify.cli.options.number import NumberRange
from notify.cli.options.span import span_option
from notify.cli.output import print_json, print_whole
from notify.cli.plan import view
from notify.cli.plan.progress import counted
from notify.cli.suppress.options import scope_option
from notify.message import Status
from notify.plans import (
    HoldFilter,
    PlanAction,
    PlanOptions,
    PlanRequest,
    default_rate,
    make_plan,
    start_plan,
)
from notify.policies.holds import Scope
from notify.reconcile import Resolution
from notify.service.plans import open_acts, open_plan_runner
from notify.service.record import opened_record
from notify.settings import load
from notify.status.plans import bulk_plan_as_json
from notify.store import Filter
from notify.store.deadletters import LetterFilter
from notify.suppression import ALL


@dataclass(frozen=True, slots=True)
class NewPlan:
    """The options that all actions share."""

    rate: float | None
    limit: int | None
    reason: str
    start: bool
    yes: bool
    as_json: bool


def _shared(action: PlanAction) -> Callable[[Command], Command]:
    return grouped(
        [
            click.option(
                "--rate",
                type=NumberRange(min=0.001, max=1000),
                metavar="NUMBER",
                show_default=f"{default_rate(action):g}",
                help="Items a second; of a replay, also notifications a second for each channel.",
            ),
            click.option(
                "--limit",
                type=click.IntRange(min=1, max=100_000),
                metavar="NUMBER",
                help="At most so many items; a plan may have 100,000.",
            ),
            reason_option(),
            click.option("--start", is_flag=True, help="Show it, ask, and start it."),
            yes_option,
            json_option,
        ],
        NewPlan.__dataclass_fields__,
        NewPlan,
        name="made",
    )


@click.group()
def new() -> None:
    """Make a plan: freeze a selection, and count what would happen to each item.

    Nothing changes until `notify plan start`. The selection is frozen: rows that match later are
    not in it, and one that has changed by its turn is skipped or refused.

    \b
    Examples:
      notify plan new replay --cause failed --since 2h --rate 50 --reason "INC-7: SendGrid is back"
      notify plan new cancel --source crm --template sale --reason "INC-12: wrong price" --start
    """


@new.command()
@letters
@click.option(
    "--include-unknown",
    is_flag=True,
    help="Also replay notifications with unknown outcome (may send duplicates).",
)
@_shared(PlanAction.REPLAY)
def replay(*, wanted: LetterFilter, include_unknown: bool, made: NewPlan) -> None:
    """Replay waiting dead letters, as `notify dead replay` does.

    \b
    Examples:
      notify plan new replay --cause failed --since 2h --rate 50 --reason "INC-7: SendGrid is back"
      notify plan new replay --cause rejected --template welcome --reason "INC-9" --start --yes
    """
    options = PlanOptions(include_unknown=include_unknown)
    _make(PlanAction.REPLAY, wanted, made, options)


@new.command()
@letters
@_shared(PlanAction.DISCARD)
def discard(*, wanted: LetterFilter, made: NewPlan) -> None:
    """Discard waiting dead letters, as `notify dead discard` does.

    \b
    Examples:
      notify plan new discard --cause expired --until 7d --reason "too late for all of them"
    """
    _make(PlanAction.DISCARD, wanted, made)


@new.command()
@filters
@_shared(PlanAction.CANCEL)
def cancel(*, wanted: Filter, made: NewPlan) -> None:
    """Cancel notifications that wait, as `notify cancel` does.

    \b
    Examples:
      notify plan new cancel --source crm --template sale --reason "INC-12: wrong price"
      notify plan new cancel --status scheduled --lane bulk --since 1d --reason "INC-12"
    """
    _check_status(wanted, Status.SCHEDULED, Status.QUEUED)
    _make(PlanAction.CANCEL, wanted, made)


@new.command()
@filters
@click.option(
    "--as",
    "finding",
    type=click.Choice([each.value for each in Resolution]),
    required=True,
    help="The finding, as of `notify resolve`.",
)
@_shared(PlanAction.RESOLVE)
def resolve(*, wanted: Filter, finding: str, made: NewPlan) -> None:
    """Decide on notifications with an unknown outcome, as `notify resolve` does.

    \b
    Examples:
      notify plan new resolve --channel sms --since 2h --as sent --reason "in Twilio's log"
      notify plan new resolve --lane critical --as resend --reason "INC-7: better twice than never"
    """
    _check_status(wanted, Status.UNKNOWN)
    _make(PlanAction.RESOLVE, wanted, made, PlanOptions(finding=Resolution(finding)))


def _scope(**parts: Any) -> Scope:
    return Scope(**{name: value or None for name, value in parts.items()})


_scoped = grouped(
    [*ROUTE, template_option, click.option("--provider", metavar="NAME", help="Of this provider.")],
    ("channel", "lane", "source", "template", "provider"),
    _scope,
    name="scope",
)


@new.command()
@_scoped
@click.option("--id", "ids", type=NUMBER, metavar="ID", multiple=True, help="This hold.")
@_shared(PlanAction.RELEASE)
def release(*, scope: Scope, ids: Sequence[int], made: NewPlan) -> None:
    """Release holds, and send what they have set aside at the plan's rate.

    By exactly the filters of the holds, by their ids, or all of them. `notify release` makes
    everything due at once. Messages that wait in RabbitMQ come at once in both cases.

    \b
    Examples:
      notify plan new release --source crm --rate 20 --reason "INC-12 is over"
      notify plan new release --id 7 --id 8 --reason "links are fixed"
    """
    wanted = HoldFilter(ids=ids, scope=scope if scope.given else None)
    _make(PlanAction.RELEASE, wanted, made)


@new.command()
@filters
@scope_option("What an entry stops: all, source:NAME or category:NAME.", default=ALL)
@click.option("--binding", is_flag=True, help="Stop critical categories too.")
@span_option("it is lifted")
@_shared(PlanAction.SUPPRESS)
def suppress(
    *, wanted: Filter, scope: str, binding: bool, span: timedelta | None, made: NewPlan
) -> None:
    """Add the recipients of notifications to the suppression list, as `notify suppress add` does.

    \b
    Examples:
      notify plan new suppress --status bounced --since 1d --reason "INC-14: a bought list"
      notify plan new suppress --batch 0b0e6a52-8f0e-4c52-9c2e-0f5b6b1f7a10 --scope source:crm \\
          --for 30d --reason "ticket 4712"
    """
    lasts = span.total_seconds() if span else None
    options = PlanOptions(scope=scope, binding=binding, lasts=lasts)
    _make(PlanAction.SUPPRESS, wanted, made, options)


def _check_status(wanted: Filter, *usable: Status) -> None:
    if wanted.status not in (None, *usable):
        words = " or ".join(usable)
        raise click.UsageError(f"--status is {wanted.status}: this action needs {words}")


def _make(
    action: PlanAction,
    wanted: LetterFilter | Filter | HoldFilter,
    made: NewPlan,
    options: PlanOptions | None = None,
) -> None:
    actor = actor_of(made.reason)
    settings = load()
    request = PlanRequest(
        action=action,
        wanted=wanted,
        rate=made.rate,
        limit=made.limit,
        options=options or PlanOptions(),
    )
    with opened_record(settings) as store:
        plan = make_plan(store, open_acts(settings, store), request, actor)
        plan = counted(store, plan, open_plan_runner(settings, store))
        now = store.clock()
        if not made.as_json:
            print_whole(Console(), view.facts(plan, now=now))
            click.echo()
            Console().print(view.forecast(plan))
        if made.start:
            confirm(f"\n{action.capitalize()} {plan.total:,}?", yes=made.yes)
            plan = start_plan(store, plan.id, actor)
    if made.as_json:
        print_json(bulk_plan_as_json(plan, now=now))
    elif made.start:
        click.echo(f"\nplan {plan.id} is {plan.state}: `notify plan show {plan.id}` shows it")
    else:
        click.echo(f"\n`notify plan start {plan.id}` starts it")
