"""One process's metrics for Prometheus: counted where events happen, or read at each scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from notify.telemetry.metrics.catalog import FAMILIES, Family, MetricType

Reading = tuple[Sequence[str], float]
"""The values of a family's labels, in their order, and the number."""
Read = Callable[[], Iterable[Reading]]
"""Returns the current readings, from memory and at once."""


class Metrics:
    """
    One process's metrics, in a registry of its own. Safe to share among threads.

    A counted family has a series from `expect` or its first event on; a family that is read has the
    series that its readers return, and none without a reader.
    """

    def __init__(self) -> None:
        # The start of a series adds no information to the process's own start.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._counters: dict[Family, Counter] = {}
        self._histograms: dict[Family, Histogram] = {}
        # Read without a lock: two threads that create the same one get the same.
        self._counts: dict[tuple[Family, tuple[str, ...]], Counter] = {}
        self._durations: dict[tuple[Family, tuple[str, ...]], Histogram] = {}
        self._readings = _Readings()
        self._registry.register(self._readings)
        for family in FAMILIES:
            self._make(family)

    def _make(self, family: Family) -> None:
        name, text, labels = family.name, family.help, family.labels
        if family.kind is MetricType.COUNTED:
            self._counters[family] = Counter(name, text, labels, registry=self._registry)
        elif family.kind is MetricType.DURATION:
            self._histograms[family] = Histogram(
                name, text, labels, buckets=family.buckets, registry=self._registry
            )

    def watch_process(self) -> None:
        """Export this process's memory, processor time and open files too."""
        ProcessCollector(registry=self._registry)

    def count(self, family: Family, *labels: str, amount: float = 1.0) -> None:
        """Count an event."""
        self._count(family, labels).inc(amount)

    def observe(self, family: Family, seconds: float, *labels: str, times: int = 1) -> None:
        """Record a duration, of one event or of several that took the same time."""
        duration, seconds = self._duration(family, labels), max(0.0, seconds)
        if times == 1:
            duration.observe(seconds)
            return
        # As `observe` does; the library has no call for several.
        bucket = next(n for n, most in enumerate(duration._upper_bounds) if seconds <= most)
        duration._sum.inc(seconds * times)
        duration._buckets[bucket].inc(times)

    def expect(self, family: Family, *labels: str) -> None:
        """Export zero until the first event, so that a rate includes it."""
        if family.kind is MetricType.COUNTED:
            self._count(family, labels)
        else:
            self._duration(family, labels)

    def watch(self, family: Family, read: Read) -> None:
        """Export what *read* returns at each scrape; a family may have several readers."""
        self._readings.add(family, read)

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry)

    def _count(self, family: Family, labels: tuple[str, ...]) -> Counter:
        found = self._counts.get((family, labels))
        if found is None:
            made = self._counters[family]
            found = self._counts[family, labels] = made.labels(*labels) if labels else made
        return found

    def _duration(self, family: Family, labels: tuple[str, ...]) -> Histogram:
        found = self._durations.get((family, labels))
        if found is None:
            made = self._histograms[family]
            found = self._durations[family, labels] = made.labels(*labels) if labels else made
        return found


class _Readings(Collector):
    """The families that are read at each scrape."""

    def __init__(self) -> None:
        self._reads: dict[Family, list[Read]] = {}

    def add(self, family: Family, read: Read) -> None:
        self._reads.setdefault(family, []).append(read)

    def describe(self) -> Iterable[Metric]:
        """Return no names: a family is named when it is read."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Read every family."""
        for family, reads in list(self._reads.items()):
            shape = (
                CounterMetricFamily if family.kind is MetricType.READ_COUNT else GaugeMetricFamily
            )
            metric = shape(family.name, family.help, labels=family.labels)
            for read in reads:
                for labels, value in read():
                    metric.add_metric(labels, value)
            yield metric
