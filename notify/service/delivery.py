"""One pool's delivery and its reconciler."""

from __future__ import annotations

from datetime import timedelta

from notify.delivery import Lane
from notify.flow import PrefetchPolicy
from notify.gateway import Gateway
from notify.periodic import PeriodicThread
from notify.reconcile import Reconciler
from notify.relays import OwnEvents
from notify.service.categories import exempt_categories, open_categories
from notify.service.contract import contract_limits, open_templates
from notify.service.flow import open_flow
from notify.service.metrics import watch_delivery
from notify.service.pipeline import Pipeline, rates
from notify.service.retry import retry_policy
from notify.service.wiring import wire_delivery
from notify.settings import PoolSettings, Settings
from notify.store import Store
from notify.telemetry.metrics import Metrics
from notify.telemetry.tracing import NOT_TRACED, Tracing
from notify.templating import Templates

RECONCILE_PERIOD = 1.0
"""Seconds between two readings of the record after a look-up was due."""
RECONCILE_LONGEST = 2.0
"""Seconds up to which that doubles while none is due."""


def open_delivery(
    settings: Settings,
    pool: PoolSettings,
    store: Store,
    gateway: Gateway,
    metrics: Metrics,
    tracing: Tracing = NOT_TRACED,
) -> Pipeline:
    """Wire one pool's delivery, with its flow control, prefetch policy and templates."""
    flow = open_flow(settings, store)
    shares = {name: settings.lanes[name].share for name in pool.lanes}
    templates = open_templates(settings)
    own_events = OwnEvents()
    lanes = {name: _lane(settings, pool, gateway, name) for name in shares}
    delivery = wire_delivery(
        store=store,
        templates=templates,
        gateway=gateway,
        flow=flow,
        shares=shares,
        limits=contract_limits(settings),
        policy=retry_policy(settings, [gateway]),
        lanes=lanes,
        metrics=metrics,
        categories=open_categories(settings),
        exempt=exempt_categories(settings),
        own_events=own_events,
        bounce_lasts=timedelta(days=settings.suppression.bounce_days),
        tracing=tracing,
    )
    prefetch = PrefetchPolicy(
        flow,
        gateway,
        rates=rates(settings),
        shares=shares,
        most=lambda lane: pool.prefetch or lanes[lane].prefetch,
    )
    pipeline = Pipeline(delivery, flow, prefetch, templates, own_events)
    watch_delivery(metrics, pipeline, settings, pool)
    return pipeline


def _lane(settings: Settings, pool: PoolSettings, gateway: Gateway, name: str) -> Lane:
    batch_size = min(settings.lanes[name].batch_size, gateway.most)
    return Lane(name, pool.concurrency, batch_size=batch_size)


def reconciliation(
    settings: Settings, store: Store, gateway: Gateway, templates: Templates
) -> PeriodicThread:
    """Wire a pool's reconciler, with the providers and templates of its delivery."""
    reconciler = Reconciler(
        store=store,
        templates=templates,
        gateway=gateway,
        policy=retry_policy(settings, [gateway]),
        categories=open_categories(settings),
    )
    return PeriodicThread(
        "reconciler", reconciler.reconcile, period=RECONCILE_PERIOD, longest=RECONCILE_LONGEST
    )
