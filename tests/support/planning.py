"""Bulk plans to test with: made, counted and performed without waiting for their rate."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select

from notify.deadletters import Replayer
from notify.message import Outcome, Status
from notify.plans import (
    Acts,
    BulkPlan,
    PlanAction,
    PlanOptions,
    PlanRequest,
    PlanRunner,
    PlanState,
    make_plan,
    read_plan,
    start_plan,
)
from notify.store import Actor, Entry, Store
from notify.store.tables import audit, plan_items
from tests.support.burying import LANES, LIMITS
from tests.support.recording import LATER, accepted, asked, begin, claim_one

ANN = Actor("ann@ops-1", "INC-7")
BOB = Actor("bob@ops-1", "INC-8")


class Ahead:
    """The record's clock, or later: a test does not wait for a plan's rate."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        """Return the time."""
        return self._store.clock() + self.ahead


def acts_on(store: Store) -> Acts:
    """Return the actions, with a replayer that renders nothing."""
    return Acts(store, replayer=lambda: Replayer(store, limits=LIMITS, lanes=LANES))


def request(action: PlanAction, wanted: Any, **options: Any) -> PlanRequest:
    """Return a request for a quick plan."""
    rate = options.pop("rate", 1000.0)
    parts = PlanOptions(**options)
    return PlanRequest(action=action, wanted=wanted, rate=rate, options=parts)


def made(store: Store, action: PlanAction, wanted: Any, **options: Any) -> BulkPlan:
    """Make a plan, and count it."""
    plan = make_plan(store, acts_on(store), request(action, wanted, **options), ANN)
    runner = PlanRunner(store, acts_on(store))
    while plan.state is PlanState.COUNTING:
        runner.count(plan)
        plan = plan_of(store, plan.id)
    return plan


def plan_of(store: Store, plan_id: int) -> BulkPlan:
    """Return a plan as it is now."""
    with store.reading() as connection:
        plan = read_plan(connection, plan_id)
    assert plan is not None
    return plan


def run(store: Store, plan_id: int, *, clock: Ahead | None = None) -> BulkPlan:
    """Perform a started plan to its end."""
    clock = clock or Ahead(store)
    runner = PlanRunner(store, acts_on(store), clock=clock)
    while plan_of(store, plan_id).state is PlanState.RUNNING:
        if not runner.step():
            clock.ahead += timedelta(hours=1)
    return plan_of(store, plan_id)


def performed(store: Store, plan: BulkPlan) -> BulkPlan:
    """Start a plan, and perform it to its end."""
    start_plan(store, plan.id, BOB)
    return run(store, plan.id)


def items_of(store: Store, plan_id: int) -> list[tuple[str, str | None]]:
    """Return state and reason of each item, in order."""
    columns = plan_items.c
    query = select(columns.state, columns.reason).where(columns.plan_id == plan_id)
    with store.reading() as connection:
        return [(row[0], row[1]) for row in connection.execute(query.order_by(columns.position))]


def acts_audited(store: Store) -> list[tuple[str, str, str]]:
    """Return action, actor and reason of each audit row, in order."""
    columns = audit.c
    query = select(columns.action, columns.actor, columns.reason).order_by(columns.id)
    with store.reading() as connection:
        return [(row[0], row[1], row[2]) for row in connection.execute(query)]


def parked(store: Store, **changes: Any) -> UUID:
    """Record a notification whose outcome an operator must decide."""
    entry = begin(store, **changes)
    parks = {"outcome": Outcome.UNKNOWN, "status": Status.UNKNOWN, "provider_id": None}
    store.record([accepted(entry, **parks)])
    return entry.notification.id


def scheduled(store: Store, **changes: Any) -> UUID:
    """Record a notification that waits for its time."""
    entry = Entry(asked(**changes), Status.SCHEDULED, due_at=LATER)
    claim_one(store, entry)
    return entry.notification.id
