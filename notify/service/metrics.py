"""What a pool's delivery and its flow control keep by themselves, told as metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from notify.flow import Flow
from notify.policies.breaker import CircuitState
from notify.service.flow import own_limits
from notify.service.pipeline import Pipeline
from notify.settings import PoolSettings, Settings
from notify.telemetry.metrics import Metrics, Reading, catalog


def watch(metrics: Metrics, way: Pipeline, settings: Settings, pool: PoolSettings) -> None:
    """Tell of calls in flight, of the channel's circuits, and of limits in force."""
    flow, delivery = way.flow, way.delivery
    providers = settings.channels[pool.channel].providers
    # What each source or recipient may use says nothing beside what all of them use together.
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
        stands = flow.circuits.state(provider)
        for state in CircuitState:
            yield (provider, state.value), float(state is stands)


def _by_limit(flow: Flow, sums: Mapping[str, float]) -> Iterator[Reading]:
    # From zero on, for what is limited and was not used yet.
    for name in {**flow.limiter.rates(), **sums}:
        yield (name,), float(sums.get(name, 0))
