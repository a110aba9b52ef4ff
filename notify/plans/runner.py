"""
The runner: counts plans that are made, and performs those that are started, slice by slice.

A plan has no owner. A runner locks the plan's row, acts on the next items, and writes their
results and when the next slice is due, in one transaction. So a runner that is killed leaves each
item done once or open, another one continues at once, and the rate is kept on the record.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from notify.errors import NotifyError, Sealed, StoreError, StoreRefused
from notify.plans.acts import Acts, ActSlice, SliceResult
from notify.plans.reports import PlanReports
from notify.plans.words import REFUSED_BY_RECORD
from notify.store import Actor, Store, write_audit
from notify.store.plans import (
    BulkPlan,
    Item,
    ItemKey,
    ItemResult,
    ItemState,
    PlanState,
    earliest_plan,
    lock_plan,
    open_items,
    settle_items,
    update_plan,
)

COUNTED = 200
"""Items that one step counts."""
POSTPONED = timedelta(seconds=5)
"""How long a plan waits whose templates cannot be read."""
CATCH_UP = timedelta(seconds=2)
"""The time without a runner that the following slices make up for, above the rate."""


class PlanRunner:
    """Handles the slice that is due first; any number of runners may work on one record."""

    def __init__(
        self,
        store: Store,
        acts: Acts,
        *,
        reports: PlanReports | None = None,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        """
        Create a runner.

        Args:
            reports: Counts and logs what is done; None for a command that shows it itself.
        """
        self._store = store
        self._acts = acts
        self._reports = reports
        self._clock = clock or store.clock
        # Plans whose last slice the record refused: their items are tried one by one.
        self._apart: set[int] = set()

    def step(self) -> bool | None:
        """
        Handle one slice of the plan that is due first.

        Returns:
            True if more may be due at once, None if a plan waits for its time, False if none does.

        Raises:
            NotifyError: The record or the templates cannot be used; the slice is tried again.
        """
        with self._store.reading() as connection:
            plan = earliest_plan(connection)
        if plan is None:
            return False
        if not _is_due(plan, self._clock()):
            return None
        try:
            if plan.state is PlanState.COUNTING:
                self.count(plan)
                # A pause: to render the templates of many letters would use a whole core.
                return None
            return self._run(plan) or None
        except StoreError:
            raise
        except NotifyError:
            self._postpone(plan)
            raise

    def count(self, plan: BulkPlan) -> None:
        """
        Add the next items of a plan to its forecast, unless another runner has done so.

        Raises:
            NotifyError: As `step`.
        """
        items = self._items(plan, after=plan.counted, limit=COUNTED)
        found = self._acts.of(plan.action).forecast(plan, [each.key for each in items])
        with self._store.writing() as connection:
            now = self._clock()
            locked = lock_plan(connection, plan.id, wait=False)
            if locked is None or locked.counted != plan.counted or not _counts(locked):
                return
            counted = plan.counted + len(items)
            ready = not items or counted >= plan.total
            changed: dict[str, Any] = {"forecast": _added(plan.forecast, found)}
            changed |= {"counted": counted, "next_at": None if ready else now}
            changed["state"] = PlanState.READY if ready else PlanState.COUNTING
            update_plan(connection, plan.id, now=now, **changed)

    def _postpone(self, plan: BulkPlan) -> None:
        """Put a plan behind others, since one without readable templates fails for longer."""
        with self._store.writing() as connection:
            now = self._clock()
            locked = lock_plan(connection, plan.id, wait=False)
            if locked is not None and locked.next_at is not None:
                update_plan(connection, plan.id, now=now, next_at=now + POSTPONED)

    def _run(self, plan: BulkPlan) -> bool:
        """Perform the next slice, and return whether this runner did."""
        act = self._acts.of(plan.action)
        most = 1 if plan.id in self._apart else act.most
        items = self._items(plan, after=plan.position, limit=_slice_size(plan.rate, most))
        actor = Actor(plan.started_by or plan.actor, plan.reason)
        try:
            part = act.prepare(plan, [each.key for each in items], actor)
            performed = self._perform(plan, items, part, actor)
        except (StoreRefused, Sealed) as error:
            # One row that the record refuses fails its whole slice.
            self._apart.add(plan.id)
            if len(items) > 1:
                return True
            return self._perform(plan, items, _RefusedSlice(items[0].key, error), actor)
        self._apart.discard(plan.id)
        return performed

    def _items(self, plan: BulkPlan, *, after: int, limit: int) -> list[Item]:
        with self._store.reading() as connection:
            return open_items(connection, plan.id, after=after, limit=limit)

    def _perform(self, plan: BulkPlan, items: Sequence[Item], part: ActSlice, actor: Actor) -> bool:
        """Act on a slice in one transaction; return False if another runner has or does."""
        with self._store.writing() as connection:
            now = self._clock()
            locked = lock_plan(connection, plan.id, wait=False)
            if locked is None or not _same(locked, plan):
                return False
            result = part.perform(connection, now=now) if items else SliceResult({})
            results = {each.position: result.items[each.key] for each in items}
            settle_items(connection, plan.id, results)
            changed = _progress(locked, items, result, now=now)
            update_plan(connection, plan.id, now=now, **changed)
            if changed["state"] is PlanState.DONE:
                details = {"plan": plan.id, "action": plan.action, "results": changed["results"]}
                write_audit(connection, actor, "plan.done", details=details, at=now)
        if self._reports is not None:
            after = replace(locked, **changed)
            self._reports.committed(after, part, list(results.values()))
        return True


class _RefusedSlice:
    """One item that the record refuses, or that no key opens."""

    def __init__(self, key: ItemKey, error: Exception) -> None:
        self._result = SliceResult(
            {key: ItemResult(ItemState.REFUSED, REFUSED_BY_RECORD, str(error))}
        )

    def perform(self, connection: Any, *, now: datetime) -> SliceResult:  # noqa: ARG002
        """Return the result; nothing else is written."""
        return self._result

    def committed(self) -> None:
        """Do nothing."""


def _is_due(plan: BulkPlan, now: datetime) -> bool:
    if plan.next_at is None or plan.next_at <= now:
        return True
    # Else a plan would wait for a clock that was set back.
    return plan.updated_at > now


def _counts(plan: BulkPlan) -> bool:
    return plan.state is PlanState.COUNTING


def _same(locked: BulkPlan, plan: BulkPlan) -> bool:
    """Return whether a plan still runs, and no other runner has handled the slice."""
    return locked.state is PlanState.RUNNING and locked.position == plan.position


def _slice_size(rate: float, most: int) -> int:
    """Return the items of about a second, so that a stop is quick and the rate even."""
    return max(1, min(most, math.ceil(rate)))


def _progress(
    plan: BulkPlan, items: Sequence[Item], result: SliceResult, *, now: datetime
) -> dict[str, Any]:
    """Return the columns of a plan after a slice."""
    position = items[-1].position if items else plan.total
    results: dict[str, Mapping[str, int]] = dict(plan.results)
    for state in ItemState:
        words = Counter(each.word for each in result.items.values() if each.state is state)
        if words:
            results[state.value] = _added(plan.results.get(state.value, {}), words)
    changed: dict[str, Any] = {"position": position, "results": results}
    if position >= plan.total:
        return changed | {"state": PlanState.DONE, "ended_at": now, "next_at": None}
    begun = max(plan.next_at or now, now - CATCH_UP)
    following = begun + timedelta(seconds=len(items) / plan.rate)
    if result.busy_until is not None:
        following = max(following, result.busy_until)
    return changed | {"state": PlanState.RUNNING, "next_at": following}


def _added(before: Mapping[str, int], more: Mapping[str, int]) -> dict[str, int]:
    counts = Counter(before)
    counts.update({str(word): number for word, number in more.items() if number})
    return dict(counts)
