"""One pool's delivery and its reconciler."""

from __future__ import annotations

from notify.delivery import Lane
from notify.flow import PrefetchPolicy
from notify.periodic import PeriodicThread
from notify.reconcile import Reconciler
from notify.service.contract import contract_limits, open_templates
from notify.service.flow import open_flow
from notify.service.gateway import open_gateway
from notify.service.metrics import watch
from notify.service.pipeline import Pipeline, rates
from notify.service.record import open_store
from notify.service.retry import retry_policy
from notify.service.wiring import wire_delivery
from notify.settings import PoolSettings, Settings
from notify.telemetry.metrics import Metrics
from notify.telemetry.tracing import NOT_TRACED, Tracing
from notify.templating import Templates

RECONCILE_PERIOD = 1.0
"""Seconds between two looks at the record while no look-up is due."""
CONNECTIONS_OF_A_LANE = 2
"""Database connections of each lane: its claimers."""


def open_delivery(
    settings: Settings, pool: PoolSettings, metrics: Metrics, tracing: Tracing = NOT_TRACED
) -> Pipeline:
    """Wire one pool's delivery: store, templates, the providers of its channel, flow control."""
    gateway = open_gateway(settings, pool.channel)
    store = open_store(settings, connections=CONNECTIONS_OF_A_LANE * len(pool.lanes))
    flow = open_flow(settings, store)
    shares = {name: settings.lanes[name].share for name in pool.lanes}
    templates = open_templates(settings)
    delivery = wire_delivery(
        store=store,
        templates=templates,
        gateway=gateway,
        flow=flow,
        shares=shares,
        limits=contract_limits(settings),
        policy=retry_policy(settings, [gateway]),
        lanes={name: Lane(name, pool.concurrency) for name in shares},
        metrics=metrics,
        tracing=tracing,
    )
    most = pool.prefetch_count
    appetite = PrefetchPolicy(flow, gateway, rates=rates(settings), shares=shares, most=most)
    way = Pipeline(delivery, flow, appetite, templates)
    watch(metrics, way, settings, pool)
    return way


def open_reconciler(settings: Settings, pool: PoolSettings, templates: Templates) -> PeriodicThread:
    """Wire a pool's reconciler: a store and providers of its own, the delivery's templates."""
    gateway = open_gateway(settings, pool.channel)
    reconciler = Reconciler(
        store=open_store(settings),
        templates=templates,
        gateway=gateway,
        policy=retry_policy(settings, [gateway]),
    )
    return PeriodicThread("reconciler", reconciler.reconcile, period=RECONCILE_PERIOD)
