"""Metrics that a pool's delivery and its flow control keep themselves, read when exported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from notify.flow import Flow
from notify.policies.breaker import CircuitState
from notify.service.flow import own_limits
from notify.service.pipeline import Pipeline
from notify.settings import PoolSettings, Settings
from notify.telemetry.metrics import Metrics, Reading, catalog


def watch_delivery(
    metrics: Metrics, pipeline: Pipeline, settings: Settings, pool: PoolSettings
) -> None:
    """Export calls in flight, the circuits of the channel's providers, and the limits in force."""
    flow, delivery = pipeline.flow, pipeline.delivery
    providers = settings.channels[pool.channel].providers
    # A limit for each source or recipient has no one rate to compare with the use of all of them.
    own = {limit.name for limit in own_limits(settings)}
    metrics.watch(
        catalog.CALLS_IN_FLIGHT,
        lambda: (((lane,), float(taken)) for lane, taken in delivery.in_flight().items()),
    )
    metrics.watch(
        catalog.CALLS_MOST, lambda: (((lane,), pool.concurrency) for lane in delivery.in_flight())
    )
    metrics.watch(catalog.RECORD_BEHIND, lambda: [((), float(flow.holds.record_behind))])
    metrics.watch(catalog.CIRCUIT, lambda: _circuits(flow, providers))
    metrics.watch(
        catalog.LIMIT_RATE,
        lambda: (((name,), rate) for name, rate in flow.limiter.rates().items() if name not in own),
    )
    metrics.watch(catalog.LIMIT_UNITS, lambda: _by_limit(flow, flow.limiter.used.units))
    metrics.watch(catalog.LIMIT_WAITS, lambda: _by_limit(flow, flow.limiter.used.waits))


def _circuits(flow: Flow, providers: Sequence[str]) -> Iterator[Reading]:
    for provider in providers:
        current = flow.circuits.state(provider)
        for state in CircuitState:
            yield (provider, state.value), float(state is current)


def _by_limit(flow: Flow, sums: Mapping[str, float]) -> Iterator[Reading]:
    # From zero on: a limit that is not used yet has a series too.
    for name in {**flow.limiter.rates(), **sums}:
        yield (name,), float(sums.get(name, 0))
