"""Bulk plans as JSON: their forecast, progress and result."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from notify.plans import BulkPlan, Item, ItemState, PlanState, effect


def bulk_plan_as_json(plan: BulkPlan, *, now: datetime) -> dict[str, Any]:
    """Return a plan as `notify plan show --json` prints it, without its items."""
    return {
        "id": plan.id,
        "action": plan.action.value,
        "state": plan.state.value,
        "filter": plan.filter,
        "options": {name: plan.options[name] for name in plan.options if name != "replay_id"},
        "rate": plan.rate,
        "reason": plan.reason,
        "actor": plan.actor,
        "created_at": plan.created_at,
        "started_by": plan.started_by,
        "started_at": plan.started_at,
        "ended_at": plan.ended_at,
        "total": plan.total,
        "more_matched": plan.cut,
        "counted": plan.counted,
        "forecast": forecast_as_json(plan),
        "open": plan.open,
        **{state.value: plan.settled(state) for state in ItemState if state is not ItemState.OPEN},
        "results": plan.results,
        "seconds_left": seconds_left(plan, now=now),
        "replay_id": plan.options.get("replay_id"),
    }


def forecast_as_json(plan: BulkPlan) -> list[dict[str, Any]]:
    """Return what the plan's items were when they were counted, and what happens to them."""
    return [
        {"word": word, "count": number, "effect": effect(plan.action, word, plan.options)}
        for word, number in plan.forecast.items()
    ]


def item_as_json(item: Item) -> dict[str, Any]:
    """Return one item: a dead letter's or hold's number, or the row's id of a notification."""
    return {
        "position": item.position,
        "item": item.key if isinstance(item.key, int) else str(item.key),
        "state": item.state.value,
        "reason": item.reason,
    }


def seconds_left(plan: BulkPlan, *, now: datetime) -> float:
    """Return the seconds until the last item, at the plan's rate; for one not started, in all."""
    if plan.state is PlanState.DONE:
        return 0.0
    waits = plan.next_at - now if plan.state is PlanState.RUNNING and plan.next_at else None
    return round(max(0.0, waits.total_seconds() if waits else 0.0) + plan.open / plan.rate, 3)


def waits_for_runner(plan: BulkPlan, *, now: datetime) -> bool:
    """Return whether a plan should be counted or run, and no process does."""
    return plan.next_at is not None and (now - plan.next_at).total_seconds() > UNATTENDED


UNATTENDED = 10.0
"""Seconds after which a plan whose slice is due counts as one that no process runs."""
