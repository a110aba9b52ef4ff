"""A runner that is killed anywhere leaves each item done once or open, and the next one goes on."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select

from notify.errors import ConfigError
from notify.flow.overrides import place_hold
from notify.message import Status
from notify.plans import Acts, PlanAction, PlanRunner, PlanState, start_plan, stop_plan
from notify.plans.request import HoldFilter, Wanted
from notify.policies.holds import Scope
from notify.reconcile import Resolution
from notify.store import Filter, Store
from notify.store.deadletters import LetterFilter
from notify.store.plans import earliest_plan
from notify.store.tables import audit, plan_items
from tests.support.burying import arrival, body_of, bury
from tests.support.migrated import migrated
from tests.support.planning import (
    ANN,
    BOB,
    Ahead,
    acts_on,
    made,
    parked,
    plan_of,
    run,
    scheduled,
)
from tests.support.recording import accepted, begin

ITEMS = 5


class Killed(BaseException):
    """The runner's process is gone: nothing after this point happens, and nothing is committed."""


@contextmanager
def killed_after(store: Store, points: int) -> Iterator[None]:
    """Kill the process at its statement or commit number *points*."""
    left = points

    def count(*_: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed

    engine = store._engine
    names = ("before_cursor_execute", "commit")
    for name in names:
        event.listen(engine, name, count)
    try:
        yield
    finally:
        for name in names:
            event.remove(engine, name, count)


def _letters(store: Store) -> Wanted:
    some = (arrival(body_of(uuid4()), exchange="notify", headers={}) for _ in range(ITEMS))
    bury(store, *some)
    return LetterFilter()


def _waiting(store: Store) -> Wanted:
    for _ in range(ITEMS):
        scheduled(store)
    return Filter()


def _unknown(store: Store) -> Wanted:
    for _ in range(ITEMS):
        parked(store)
    return Filter()


def _holds(store: Store) -> Wanted:
    for number in range(ITEMS):
        place_hold(store, Scope(source=f"shop{number}"), ANN, seconds=None)
    return HoldFilter()


def _recipients(store: Store) -> Wanted:
    for number in range(ITEMS):
        store.record([accepted(begin(store, to=f"r{number}@example.com"), status=Status.SENT)])
    return Filter()


PLANS: dict[PlanAction, tuple[Callable[[Store], Wanted], dict[str, Any]]] = {
    PlanAction.REPLAY: (_letters, {}),
    PlanAction.DISCARD: (_letters, {}),
    PlanAction.CANCEL: (_waiting, {}),
    PlanAction.RESOLVE: (_unknown, {"finding": Resolution.NOT_SENT}),
    PlanAction.RELEASE: (_holds, {}),
    PlanAction.SUPPRESS: (_recipients, {"scope": "source:shop"}),
}


def effects(store: Store) -> Counter[str]:
    """Return how often the audit says that each item was acted on."""
    found: Counter[str] = Counter()
    with store.reading() as connection:
        for row in connection.execute(select(audit.c.details)):
            details: dict[str, Any] = row.details
            acted = details.get("letters") or details.get("ids") or []
            found.update(map(str, acted))
            if "finding" in details:
                found[details["id"]] += 1
    return found


def done_items(store: Store) -> Counter[str]:
    """Return the items that the plan says are done, or the entries that it made of them."""
    columns = plan_items.c
    query = select(columns.number, columns.row_id, columns.reason).where(columns.state == "done")
    with store.reading() as connection:
        rows = connection.execute(query).all()
    entries = [(row.reason or "").removeprefix("added: entry ") for row in rows]
    return Counter(
        entry if entry.isdecimal() else str(row.number or row.row_id)
        for row, entry in zip(rows, entries, strict=True)
    )


def _forever(runner: PlanRunner, clock: Ahead) -> None:
    while True:
        runner.step()
        clock.ahead += timedelta(hours=1)


@settings(max_examples=20, deadline=None, database=None, derandomize=True)
@given(
    action=st.sampled_from(sorted(PLANS)),
    kills=st.lists(st.integers(min_value=0, max_value=45), min_size=1, max_size=5),
)
def test_every_kill_leaves_each_item_done_once_or_open(
    action: PlanAction, kills: list[int]
) -> None:
    """Whatever statement is the last one: acts, audit and results are one transaction."""
    with tempfile.TemporaryDirectory() as folder:
        store = migrated(f"sqlite:///{folder}/notify.db")
        prepare, options = PLANS[action]
        plan = made(store, action, prepare(store), rate=2.0, **options)
        start_plan(store, plan.id, BOB)
        clock = Ahead(store)
        for points in kills:
            runner = PlanRunner(store, acts_on(store), clock=clock)
            with pytest.raises(Killed), killed_after(store, points):
                _forever(runner, clock)
            assert effects(store) == done_items(store)
        done = run(store, plan.id, clock=clock)
        assert done.state is PlanState.DONE
        assert set(done_items(store).values()) == {1}
        assert effects(store) == done_items(store)
        assert sum(done_items(store).values()) == ITEMS
        store.close()


def test_a_runner_that_comes_late_does_nothing(store: Store) -> None:
    """It has chosen a slice that another one has handled, or a plan that was stopped since."""
    plan = made(store, PlanAction.DISCARD, _letters(store), rate=2.0)
    start_plan(store, plan.id, BOB)
    stale = plan_of(store, plan.id)
    late = PlanRunner(store, acts_on(store))
    assert PlanRunner(store, acts_on(store)).step() is True
    assert late._run(stale) is False
    stop_plan(store, plan.id, BOB)
    assert late._run(plan_of(store, plan.id)) is False
    assert sum(effects(store).values()) == 2


def test_a_plan_whose_templates_cannot_be_read_delays_no_other(store: Store) -> None:
    """It is tried again after some seconds; the plan that was started after it runs."""

    def broken() -> Any:
        raise ConfigError("templates/welcome: unclosed block")

    replay = made(store, PlanAction.REPLAY, _letters(store))
    discard = made(store, PlanAction.DISCARD, LetterFilter())
    start_plan(store, replay.id, BOB)
    start_plan(store, discard.id, BOB)
    runner = PlanRunner(store, Acts(store, replayer=broken))
    with pytest.raises(ConfigError):
        runner.step()
    assert runner.step() is True
    assert plan_of(store, discard.id).state is PlanState.DONE
    with store.reading() as connection:
        left = earliest_plan(connection)
    assert left is not None
    assert left.id == replay.id
