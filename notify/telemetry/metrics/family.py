"""The form of a metric: its name, kind, help, labels and buckets."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass


class MetricType(enum.Enum):
    """The kind of a family for Prometheus, and how it is obtained."""

    COUNTED = "counter"
    """A counter, incremented where the event happens."""
    READ_COUNT = "counter, read"
    """A counter that another part keeps, read at each scrape."""
    READ = "gauge"
    """A gauge, read at each scrape."""
    DURATION = "histogram"
    """A histogram of seconds."""


OBJECTIVE = 10.0
"""The objective: seconds from publishing to the provider's acceptance."""

WAITS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, OBJECTIVE, 30, 60, 300, 900, 3600, 21_600)
CALLS = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25)


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """One metric: its name, kind, help and labels, each of which has few values."""

    name: str
    kind: MetricType
    help: str
    labels: Sequence[str] = ()
    buckets: Sequence[float] = ()
