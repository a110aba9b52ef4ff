"""SQL of `notify.plans`: bulk plans, and the rows that each of them has frozen."""

from notify.store.plans.items import (
    Item,
    ItemKey,
    ItemResult,
    ItemState,
    insert_items,
    open_items,
    read_items,
    settle_items,
)
from notify.store.plans.retention import delete_plans
from notify.store.plans.rows import (
    BulkPlan,
    PlanAction,
    PlanState,
    earliest_plan,
    find_plans,
    insert_plan,
    lock_plan,
    read_plan,
    update_plan,
)
from notify.store.plans.targets import (
    Recipient,
    called_since,
    erased_rows,
    held_rows,
    keep_for_plan,
    read_recipients,
    read_statuses,
    release_rows,
)

__all__ = [
    "BulkPlan",
    "Item",
    "ItemKey",
    "ItemResult",
    "ItemState",
    "PlanAction",
    "PlanState",
    "Recipient",
    "called_since",
    "delete_plans",
    "earliest_plan",
    "erased_rows",
    "find_plans",
    "held_rows",
    "insert_items",
    "insert_plan",
    "keep_for_plan",
    "lock_plan",
    "open_items",
    "read_items",
    "read_plan",
    "read_recipients",
    "read_statuses",
    "release_rows",
    "settle_items",
    "update_plan",
]
