"""The bulk plans of operators, and the thread that performs them."""

from __future__ import annotations

from functools import partial

from notify.periodic import PeriodicThread
from notify.plans import Acts, PlanReports, PlanRunner
from notify.service.deadletters import open_replayer
from notify.settings import Settings
from notify.store import Store
from notify.telemetry.metrics import Metrics

PERIOD = 0.5
"""Seconds between two looks while a plan waits for its time."""
LONGEST = 2.0
"""Seconds up to which that doubles while no plan runs."""


def open_acts(settings: Settings, store: Store) -> Acts:
    """Wire the actions of plans; templates are read when a replay is counted or started."""
    return Acts(store, replayer=partial(open_replayer, settings, store))


def open_plan_runner(
    settings: Settings, store: Store, metrics: Metrics | None = None
) -> PlanRunner:
    """Wire a runner of plans; without metrics, it logs nothing either."""
    reports = None if metrics is None else PlanReports(metrics)
    return PlanRunner(store, open_acts(settings, store), reports=reports)


def plan_thread(settings: Settings, store: Store, metrics: Metrics) -> PeriodicThread:
    """Wire the thread that counts and performs plans."""
    runner = open_plan_runner(settings, store, metrics)
    return PeriodicThread("plans", runner.step, period=PERIOD, longest=LONGEST)
