"""The metrics of applied receipts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

import structlog

from notify.receipts.received import AppliedReceipt, ReceiptVerdict
from notify.telemetry.metrics import Metrics, catalog

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
            at = each.received.receipt.at
            if at is not None and each.verdict is ReceiptVerdict.NEW:
                seconds = (now - at).total_seconds()
                self._metrics.observe(
                    catalog.RECEIPT_LAG, seconds, each.received.provider, "applied"
                )
        if applied:
            verdicts = Counter(each.verdict.value for each in applied)
            log.info("notify.receipts_applied", **verdicts)
