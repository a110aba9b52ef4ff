"""The metrics of web processes: how long their answers took."""

from __future__ import annotations

from notify.telemetry.metrics.family import CALLS, Family, MetricType

RECEIPTS_ANSWERS = Family(
    "notify_receipts_answer_seconds",
    MetricType.DURATION,
    "Time of the web intake for the answer to a request.",
    ("provider", "status"),
    buckets=CALLS,
)

API_ANSWERS = Family(
    "notify_api_answer_seconds",
    MetricType.DURATION,
    "Time of the HTTP API for the answer to a request, after its body was read.",
    ("operation", "status"),
    buckets=CALLS,
)
