"""One row that the record refuses costs a plan that row, and no other."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Connection

from notify.errors import Sealed, StoreError, StoreRefused
from notify.plans import (
    Acts,
    BulkPlan,
    PlanAction,
    PlanReports,
    PlanRunner,
    PlanState,
    start_plan,
)
from notify.plans.acts import BulkAct, SliceResult
from notify.store import Store
from notify.store.deadletters import LetterFilter
from notify.telemetry.metrics import Metrics
from tests.support.burying import arrival, body_of, bury
from tests.support.planning import BOB, Ahead, acts_on, items_of, made, plan_of


class RefusedSlice:
    """A slice that the record refuses while it has a certain item."""

    def __init__(self, part: Any, keys: Sequence[Any], error: StoreError) -> None:
        self._part = part
        self._keys = keys
        self._error = error

    def perform(self, connection: Connection, *, now: datetime) -> SliceResult:
        """Act on all items, and fail if the last letter is one of them."""
        found: SliceResult = self._part.perform(connection, now=now)
        if 3 in self._keys:
            raise self._error
        return found

    def committed(self) -> None:
        """Do nothing."""


class RefusingActs(Acts):
    """Actions whose slices the record refuses while they have the letter 3."""

    def __init__(self, store: Store, error: StoreError) -> None:
        super().__init__(store, replayer=lambda: pytest.fail("nothing is replayed"))
        self._error = error

    def of(self, action: PlanAction) -> BulkAct:
        """Return the action."""
        return RefusingAct(super().of(action), self._error)  # type: ignore[return-value]


class RefusingAct:
    """An action of them."""

    def __init__(self, act: BulkAct, error: StoreError) -> None:
        self._act = act
        self._error = error
        self.most = act.most

    def prepare(self, plan: BulkPlan, keys: Sequence[Any], actor: Any) -> RefusedSlice:
        """Prepare a slice."""
        return RefusedSlice(self._act.prepare(plan, keys, actor), keys, self._error)


@pytest.mark.parametrize(
    "error", [StoreRefused("it refuses a value"), Sealed("its key is missing", key="2025")]
)
def test_an_item_that_the_record_refuses_is_refused_alone(store: Store, error: StoreError) -> None:
    """The slice is repeated item by item; the others of it are done once."""
    bury(store, *(arrival(body_of(uuid4()), exchange="notify", headers={}) for _ in range(5)))
    plan = made(store, PlanAction.DISCARD, LetterFilter(), rate=1000.0)
    start_plan(store, plan.id, BOB)
    clock, metrics = Ahead(store), Metrics()
    runner = PlanRunner(
        store, RefusingActs(store, error), reports=PlanReports(metrics), clock=clock
    )
    steps = 0
    while plan_of(store, plan.id).state is PlanState.RUNNING and steps < 20:
        runner.step()
        steps += 1
    assert [state for state, _ in items_of(store, plan.id)] == [
        *("done", "done", "refused", "done", "done"),
    ]
    assert items_of(store, plan.id)[2][1] == f"refused by the record: {error}"
    text = metrics.text().decode()
    assert 'notify_plan_items_total{action="discard",result="done"} 4.0' in text
    assert 'notify_plan_items_total{action="discard",result="refused"} 1.0' in text


def test_a_record_that_is_away_refuses_nothing(store: Store) -> None:
    """The slice is tried again later."""
    bury(store, *(arrival(body_of(uuid4()), exchange="notify", headers={}) for _ in range(3)))
    plan = made(store, PlanAction.DISCARD, LetterFilter())
    start_plan(store, plan.id, BOB)
    away = PlanRunner(store, RefusingActs(store, StoreError("away")))
    for _ in range(2):
        with pytest.raises(StoreError, match="away"):
            away.step()
    assert plan_of(store, plan.id).position == 0
    assert PlanRunner(store, acts_on(store)).step() is True
    assert plan_of(store, plan.id).state is PlanState.DONE
