"""The metrics and log lines of performed slices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

import structlog

from notify.plans.acts import ActSlice
from notify.store.plans import BulkPlan, ItemResult, ItemState, PlanAction, PlanState
from notify.telemetry.metrics import Metrics, catalog

log = structlog.get_logger("notify.plans")

_RESULTS = (ItemState.DONE, ItemState.SKIPPED, ItemState.REFUSED)


class PlanReports:
    """Counts and logs what a process does for plans."""

    def __init__(self, metrics: Metrics) -> None:
        """Start all series at zero, so that Prometheus sees the first increase of each."""
        self._metrics = metrics
        for action in PlanAction:
            for state in _RESULTS:
                metrics.expect(catalog.PLAN_ITEMS, action.value, state.value)

    def committed(self, plan: BulkPlan, part: ActSlice, results: Collection[ItemResult]) -> None:
        """
        Report a slice that was committed.

        Args:
            plan: As it is after the slice.
        """
        part.committed()
        action = plan.action.value
        for state, number in Counter(each.state for each in results).items():
            self._metrics.count(catalog.PLAN_ITEMS, action, state.value, amount=number)
        fields = {"plan": plan.id, "action": action, "position": plan.position}
        if plan.state is PlanState.DONE:
            log.info("notify.plan_done", **fields, results=plan.results)
        else:
            log.debug("notify.plan_slice", **fields, total=plan.total)
