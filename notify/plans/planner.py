"""Making a plan: its selection is frozen by ids, in short transactions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import uuid4

from notify.errors import NotifyError
from notify.plans.acts import Acts
from notify.plans.request import PlanRequest, default_rate, described
from notify.store import Actor, Store, write_audit
from notify.store.plans import (
    BulkPlan,
    ItemKey,
    PlanAction,
    PlanState,
    insert_items,
    insert_plan,
    lock_plan,
    read_plan,
    update_plan,
)

MOST_AT_ONCE = 1000
"""Items that an operator may act on without a plan."""
MOST_ITEMS = 100_000
"""Items of one plan."""
LOWEST_RATE, HIGHEST_RATE = 0.001, 1000.0
"""Items a second of one plan."""
SLICE = 1000
"""Items that one transaction writes."""


def make_plan(store: Store, acts: Acts, request: PlanRequest, actor: Actor) -> BulkPlan:
    """
    Freeze the selection as a plan, which is counted next, and acts once it is started.

    If it is interrupted, the plan stays `freezing`: it cannot be started, and retention deletes it.

    Raises:
        NotifyError: Nothing matches, or the rate cannot be kept; no plan is made.
        StoreError: The record cannot be used.
    """
    if request.rate is not None and not LOWEST_RATE <= request.rate <= HIGHEST_RATE:
        text = f"the rate is not a number from {LOWEST_RATE:g} to {HIGHEST_RATE:g} a second"
        raise NotifyError(f"{text}: no plan is made")
    # Before the selection: what happens from now on is newer than the plan.
    now = store.clock()
    keys, cut = _chosen(store, acts, request)
    if not keys:
        raise NotifyError("nothing matches: no plan is made")
    plan_id = _insert(store, request, actor, total=len(keys), cut=cut, now=now)
    for start in range(0, len(keys), SLICE):
        with store.writing() as connection:
            insert_items(connection, plan_id, keys[start : start + SLICE], after=start)
    with store.writing() as connection:
        now = store.clock()
        lock_plan(connection, plan_id)
        update_plan(connection, plan_id, now=now, state=PlanState.COUNTING, next_at=now)
        made = read_plan(connection, plan_id)
    assert made is not None  # noqa: S101 - it was written above
    return made


def _chosen(store: Store, acts: Acts, request: PlanRequest) -> tuple[Sequence[ItemKey], bool]:
    most = min(request.limit or MOST_ITEMS, MOST_ITEMS)
    with store.reading() as connection:
        keys = acts.of(request.action).choose(connection, request.wanted, limit=most + 1)
    return keys[:most], len(keys) > most


def _insert(
    store: Store, request: PlanRequest, actor: Actor, *, total: int, cut: bool, now: datetime
) -> int:
    options = request.options
    if request.action is PlanAction.REPLAY:
        options = replace(options, replay_id=str(uuid4()))
    with store.writing() as connection:
        shown = {
            "action": request.action.value,
            "filter": described(request.wanted, now=now),
            "options": options.as_json(),
            "rate": request.rate or default_rate(request.action),
            "total": total,
        }
        who = {"actor": actor.name[:255], "reason": actor.reason[:1000], "cut": cut}
        plan_id = insert_plan(connection, now=now, **shown, **who)
        write_audit(connection, actor, "plan.new", details={"plan": plan_id, **shown}, at=now)
    return plan_id
