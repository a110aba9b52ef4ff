"""What one process tells Prometheus: counted where it happens, or read when it is asked."""

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
"""Gives what is to be told now, from memory and at once."""


class Metrics:
    """
    One process's metrics, in a registry of its own. Safe among threads.

    A family that is counted exists with each of its labels' values from `expect` or its first
    event on; one that is read tells what its reader gives, and nothing without a reader.
    """

    def __init__(self) -> None:
        # When a series began tells nothing that the process's own start does not.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._counters: dict[Family, Counter] = {}
        self._histograms: dict[Family, Histogram] = {}
        # Looked up without a lock: two threads that make the same one get the same.
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

    def observe(self, family: Family, seconds: float, *labels: str) -> None:
        """Note how long something took."""
        self._duration(family, labels).observe(max(0.0, seconds))

    def expect(self, family: Family, *labels: str) -> None:
        """Tell of zero events until there is one, so that the first makes a difference."""
        if family.kind is MetricType.COUNTED:
            self._count(family, labels)
        else:
            self._duration(family, labels)

    def watch(self, family: Family, read: Read) -> None:
        """Tell what *read* gives whenever it is asked; several may tell of one family."""
        self._readings.add(family, read)

    def text(self) -> bytes:
        """Write all in Prometheus' text format."""
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
    """The families that are read."""

    def __init__(self) -> None:
        self._reads: dict[Family, list[Read]] = {}

    def add(self, family: Family, read: Read) -> None:
        self._reads.setdefault(family, []).append(read)

    def describe(self) -> Iterable[Metric]:
        """Name nothing before it is read."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Read all."""
        for family, reads in list(self._reads.items()):
            shape = (
                CounterMetricFamily if family.kind is MetricType.READ_COUNT else GaugeMetricFamily
            )
            metric = shape(family.name, family.help, labels=family.labels)
            for read in reads:
                for labels, value in read():
                    metric.add_metric(labels, value)
            yield metric
