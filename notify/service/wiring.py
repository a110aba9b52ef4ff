"""Wiring one pool's delivery."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta

from notify.categories import Categories
from notify.contract import Limits
from notify.delivery import (
    CallMaker,
    CallRunner,
    Claimer,
    Decoder,
    Delivery,
    DeliveryMetrics,
    Dispatcher,
    Failover,
    Lane,
    OutcomeRecorder,
    Pacer,
    Planner,
    Recorder,
)
from notify.flow import Admission, Flow, Screening
from notify.gateway import Gateway
from notify.policies.retry import RetryPolicy
from notify.relays import OwnEvents
from notify.store import Store
from notify.suppression import BOUNCE_LASTS
from notify.telemetry.metrics import Metrics
from notify.telemetry.tracing import NOT_TRACED, Tracing
from notify.templating import Templates


def wire_delivery(
    *,
    store: Store,
    templates: Templates,
    gateway: Gateway,
    flow: Flow,
    policy: RetryPolicy,
    limits: Limits,
    shares: Mapping[str, float],
    lanes: Mapping[str, Lane],
    metrics: Metrics,
    categories: Categories | None = None,
    exempt: Collection[str] = (),
    bounce_lasts: timedelta = BOUNCE_LASTS,
    tracing: Tracing = NOT_TRACED,
    own_events: OwnEvents | None = None,
    recorder: Recorder | None = None,
    clock: Callable[[], datetime] | None = None,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Delivery:
    """
    Wire a delivery from its parts.

    Args:
        shares: By lane, the part of each limit's burst that it may use.
        exempt: The categories that only a binding suppression stops.
        bounce_lasts: How long a recipient that the vendor reports as gone is suppressed.
        own_events: Where to put the events to announce from memory; none is, if None.
        recorder: Writes the outcomes; one with a thread of its own, if None.
        clock: Returns the time; the record's clock, if None.
    """
    clock = clock or store.clock
    recorder = recorder or Recorder(store)
    counts = DeliveryMetrics(
        metrics,
        channel=gateway.channel,
        lanes=lanes,
        providers=[provider.name for provider in gateway.providers],
        clock=clock,
    )
    admission = Admission(flow, gateway, shares=shares, monotonic=monotonic)
    outcomes = OutcomeRecorder(
        policy=policy,
        recorder=recorder,
        metrics=counts,
        clock=clock,
        bounce_lasts=bounce_lasts,
        own_events=own_events,
    )
    maker = CallMaker(flow=flow, metrics=counts, monotonic=monotonic)
    failover = Failover(
        store=store,
        circuits=flow.circuits,
        admission=admission,
        outcomes=outcomes,
        maker=maker,
        monotonic=monotonic,
        sleep=sleep,
    )
    calls = CallRunner(maker=maker, failover=failover, outcomes=outcomes, monotonic=monotonic)
    return Delivery(
        decoder=Decoder(limits, tracing),
        planner=Planner(
            channels={gateway.channel}, templates=templates, categories=categories, exempt=exempt
        ),
        pacer=Pacer(
            Screening(flow, gateway), admission, clock=clock, monotonic=monotonic, sleep=sleep
        ),
        dispatcher=Dispatcher(
            claimer=Claimer(store, clock=clock),
            calls=calls,
            outcomes=outcomes,
            circuits=flow.circuits,
            metrics=counts,
            tracing=tracing,
        ),
        recorder=recorder,
        lanes=lanes,
        clock=clock,
    )
