"""The metrics of applied receipts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

import structlog

from notify.receipts.received import PRODUCER, AppliedReceipt, ReceiptVerdict
from notify.telemetry.metrics import Metrics, catalog

MOST_TEMPLATES = 100
"""Templates that one process counts feedback for by name; the rest are `other`."""

log = structlog.get_logger("notify.receipts")

_COUNTED = (
    ReceiptVerdict.NEW,
    ReceiptVerdict.REPEAT,
    ReceiptVerdict.LATE,
    ReceiptVerdict.UNMATCHED,
)


class ApplicationMetrics:
    """Counts receipts by their effect, each once: one that waits is counted when it is applied."""

    def __init__(self, metrics: Metrics, *, providers: Iterable[str]) -> None:
        """Export zeros for the configured providers."""
        self._metrics = metrics
        self._templates: set[str] = set()
        for provider in providers:
            metrics.expect(catalog.RECEIPT_LAG, provider, "applied")

    def applied(self, applied: Sequence[AppliedReceipt], *, now: datetime) -> None:
        """Count receipts whose transaction is committed, and how late their effect is."""
        counts = Counter(
            (each.received.provider, each.received.receipt.event.value, each.verdict)
            for each in applied
            if each.verdict in _COUNTED
        )
        for (provider, event, verdict), count in counts.items():
            self._metrics.count(catalog.RECEIPTS, provider, event, verdict.value, amount=count)
        for each in applied:
            if each.received.provider == PRODUCER and each.verdict is ReceiptVerdict.NEW:
                self._count_feedback(each)
            at = each.received.receipt.at
            if at is not None and each.verdict is ReceiptVerdict.NEW:
                seconds = max((now - at).total_seconds(), 0.0)
                self._metrics.observe(
                    catalog.RECEIPT_LAG, seconds, each.received.provider, "applied"
                )
        if applied:
            verdicts = Counter(each.verdict.value for each in applied)
            log.info("notify.receipts_applied", **verdicts)

    def _count_feedback(self, applied: AppliedReceipt) -> None:
        notification = applied.notification
        if notification is None:
            return
        template = notification.template or "inline"
        if template not in self._templates:
            # Producers name templates, so the number of series is bounded here.
            template = template if len(self._templates) < MOST_TEMPLATES else "other"
            self._templates.add(template)
        self._metrics.count(
            catalog.FEEDBACK,
            notification.channel.value,
            template,
            applied.received.country or "none",
            applied.received.receipt.event.value,
        )
