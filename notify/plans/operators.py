"""The use cases of operators: a plan is started, and stopped, each with its audit row."""

from __future__ import annotations

from typing import Any

from notify.errors import NotifyError
from notify.store import Actor, Store, write_audit
from notify.store.plans import BulkPlan, PlanState, lock_plan, read_plan, update_plan

_NOT_TO_START = {
    PlanState.FREEZING: "its selection was never completed: make another plan",
    PlanState.COUNTING: "it is still being counted: try again in a moment",
    PlanState.RUNNING: "it is running already",
    PlanState.DONE: "it is done: make another plan",
}


def start_plan(store: Store, plan_id: int, actor: Actor) -> BulkPlan:
    """
    Start a plan, or continue one that was stopped; a runner performs it from now on.

    Raises:
        NotifyError: There is no such plan, or it cannot be started.
        StoreError: The record cannot be written.
    """
    with store.writing() as connection:
        now = store.clock()
        plan = _locked(lock_plan(connection, plan_id), plan_id)
        if why := _NOT_TO_START.get(plan.state):
            raise NotifyError(f"plan {plan_id} cannot be started: {why}")
        changed: dict[str, Any] = {"started_at": now, "started_by": actor.name[:255]}
        changed |= {"state": PlanState.RUNNING, "next_at": now}
        update_plan(connection, plan_id, now=now, **changed)
        details = {"plan": plan_id, "action": plan.action.value, "open": plan.open}
        write_audit(connection, actor, "plan.start", details=details, at=now)
        return _locked(read_plan(connection, plan_id), plan_id)


def stop_plan(store: Store, plan_id: int, actor: Actor) -> BulkPlan:
    """
    Stop a running plan; no further item is acted on, and `start_plan` continues it.

    Raises:
        NotifyError: There is no such plan, or it is not running.
        StoreError: The record cannot be written.
    """
    with store.writing() as connection:
        now = store.clock()
        # It waits for a slice that is being written, which takes less than a second.
        plan = _locked(lock_plan(connection, plan_id), plan_id)
        if plan.state is not PlanState.RUNNING:
            raise NotifyError(f"plan {plan_id} is {plan.state}: there is nothing to stop")
        update_plan(connection, plan_id, now=now, state=PlanState.STOPPED, next_at=None)
        details = {"plan": plan_id, "action": plan.action.value, "open": plan.open}
        write_audit(connection, actor, "plan.stop", details=details, at=now)
        return _locked(read_plan(connection, plan_id), plan_id)


def _locked(plan: BulkPlan | None, plan_id: int) -> BulkPlan:
    if plan is None:
        raise NotifyError(f"there is no plan {plan_id}; `notify plan ls` lists them")
    return plan
