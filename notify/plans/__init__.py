"""
Bulk actions of operators as objects on record: a frozen selection, its forecast, progress, result.

Here: making, starting and stopping plans, and the runner that performs them slice by slice. Not
here: the acts themselves, which are the use cases that single commands call (`deadletters`,
`delivery`, `reconcile`, `flow.overrides`, `suppression`), and SQL (`store.plans`).
"""

from notify.plans.acts import Acts
from notify.plans.effects import effect
from notify.plans.operators import start_plan, stop_plan
from notify.plans.planner import MOST_AT_ONCE, MOST_ITEMS, make_plan
from notify.plans.reports import PlanReports
from notify.plans.request import HoldFilter, PlanOptions, PlanRequest, default_rate
from notify.plans.runner import PlanRunner
from notify.store.plans import (
    BulkPlan,
    Item,
    ItemState,
    PlanAction,
    PlanState,
    earliest_plan,
    find_plans,
    read_items,
    read_plan,
)

__all__ = [
    "MOST_AT_ONCE",
    "MOST_ITEMS",
    "Acts",
    "BulkPlan",
    "HoldFilter",
    "Item",
    "ItemState",
    "PlanAction",
    "PlanOptions",
    "PlanReports",
    "PlanRequest",
    "PlanRunner",
    "PlanState",
    "default_rate",
    "earliest_plan",
    "effect",
    "find_plans",
    "make_plan",
    "read_items",
    "read_plan",
    "start_plan",
    "stop_plan",
]
