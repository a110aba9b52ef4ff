"""The progress of a plan on the operator's terminal: counted, then performed."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from notify.cli.console import Console
from notify.errors import NotifyError
from notify.plans import BulkPlan, PlanRunner, PlanState, read_plan
from notify.store import Store

_INTERVAL = 0.5
"""Seconds between two reads of a plan."""


def found_plan(store: Store, plan_id: int) -> BulkPlan:
    """
    Return a plan.

    Raises:
        NotifyError: There is none with this number.
    """
    with store.reading() as connection:
        plan = read_plan(connection, plan_id)
    if plan is None:
        raise NotifyError(f"there is no plan {plan_id}; `notify plan ls` lists them")
    return plan


def counted(store: Store, plan: BulkPlan, runner: PlanRunner) -> BulkPlan:
    """Count a plan's items in this process, beside any worker that does, and return it."""
    with _progress() as progress:
        task = progress.add_task("counting", total=plan.total)
        while plan.state is PlanState.COUNTING:
            runner.count(plan)
            plan = found_plan(store, plan.id)
            progress.update(task, completed=plan.counted)
    return plan


def followed(store: Store, plan_id: int, *, step: Callable[[], object] | None = None) -> BulkPlan:
    """
    Return a plan once it does not run any more.

    Args:
        step: Performs a slice in this process; None if workers do.
    """
    with _progress() as progress:
        plan = found_plan(store, plan_id)
        task = progress.add_task(plan.action.value, total=plan.total)
        while plan.state is PlanState.RUNNING:
            if step is None or not step():
                time.sleep(_INTERVAL)
            plan = found_plan(store, plan_id)
            progress.update(task, completed=plan.position)
    return plan


def _progress() -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
