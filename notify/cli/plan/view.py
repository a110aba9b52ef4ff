"""Bulk plans as tables: lists, one plan with its forecast and results, its items."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.text import Text

from notify.cli.console import Table
from notify.cli.output import plain_table, span, utc
from notify.plans import BulkPlan, Item, ItemState, PlanState, effect
from notify.status.plans import seconds_left, waits_for_runner

_SETTLED = (ItemState.DONE, ItemState.SKIPPED, ItemState.REFUSED)


def listing(plans: Sequence[BulkPlan]) -> Table:
    """Return a table with a row for each plan."""
    table = plain_table()
    for title in ("id", "made (UTC)", "action", "state"):
        table.add_column(title, no_wrap=True)
    for title in ("items", *_SETTLED):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("by", no_wrap=True)
    table.add_column("reason", min_width=20)
    for each in plans:
        counts = (f"{each.settled(state):,}" for state in _SETTLED)
        first = str(each.id), utc(each.created_at), each.action, each.state
        table.add_row(*first, f"{each.total:,}", *counts, Text(each.actor), Text(each.reason))
    return table


def facts(plan: BulkPlan, *, now: datetime) -> Table:
    """Return a table of everything about a plan but its counts."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _facts(plan, now=now):
        table.add_row(name, Text(value))
    return table


def _facts(plan: BulkPlan, *, now: datetime) -> Iterator[tuple[str, str]]:
    yield "plan", f"{plan.id}: {plan.action} {plan.total:,}"
    yield "state", _state(plan, now=now)
    chosen = ", ".join(f"{name} {value}" for name, value in plan.filter.items())
    yield "filter", (chosen or "none") + ("; more matched than a plan may have" * plan.cut)
    shown = {name: value for name, value in plan.options.items() if name != "replay_id"}
    if shown:
        yield "options", ", ".join(f"{name} {value}" for name, value in shown.items())
    yield "rate", f"{plan.rate:g} a second"
    yield "made", f"{utc(plan.created_at)} UTC by {plan.actor}"
    yield "reason", plan.reason
    if plan.started_at is not None:
        yield "started", f"{utc(plan.started_at)} UTC by {plan.started_by}"
    if plan.ended_at is not None:
        yield "ended", f"{utc(plan.ended_at)} UTC"


def _state(plan: BulkPlan, *, now: datetime) -> str:
    if waits_for_runner(plan, now=now):
        return f"{plan.state}, but no process does it: start `notify worker dead`"
    match plan.state:
        case PlanState.COUNTING:
            return f"counting, {plan.counted:,} of {plan.total:,} so far"
        case PlanState.RUNNING:
            left = span(seconds_left(plan, now=now))
            return f"running, {plan.open:,} of {plan.total:,} open, at least {left} left"
        case PlanState.READY:
            return f"ready, takes at least {span(seconds_left(plan, now=now))}"
        case PlanState.STOPPED:
            return f"stopped, {plan.open:,} of {plan.total:,} open"
    return plan.state.value


def forecast(plan: BulkPlan) -> Table:
    """Return a table of what the items were when they were counted, and what happens to each."""
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(justify="right")
    table.add_column()
    for word, number in plan.forecast.items():
        table.add_row(Text(word), f"{number:,}", effect(plan.action, word, plan.options))
    return table


def results(plan: BulkPlan) -> Table:
    """Return a table of the settled items, by result and reason."""
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(justify="right")
    table.add_column()
    for state in _SETTLED:
        for word, number in plan.results.get(state, {}).items():
            table.add_row(state, f"{number:,}", "" if state is ItemState.DONE else Text(word))
    table.add_row(ItemState.OPEN, f"{plan.open:,}", "")
    return table


def items(found: Sequence[Item]) -> Table:
    """Return a table with a row for each item."""
    table = plain_table()
    table.add_column("item", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("reason")
    for each in found:
        table.add_row(str(each.key), each.state, Text(each.reason or ""))
    return table
