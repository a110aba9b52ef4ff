"""The metrics of the intake: requests and receipts by provider, event and verdict."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from notify.receipt import Report
from notify.telemetry.metrics import Metrics, catalog

NO_EVENT = "none"
"""The label of requests whose events are not known, or not recorded."""


class IntakeMetrics:
    """
    Counts what the intake did. Thread-safe.

    The intake counts the verdicts `stored`, `forged`, `unreadable` and `ignored`; the receipt
    workers count the others when they apply what was stored.
    """

    def __init__(self, metrics: Metrics, *, providers: list[str]) -> None:
        """Export zeros for the readers' providers."""
        self._metrics = metrics
        for provider in providers:
            for verdict in ("forged", "unreadable", "ignored"):
                metrics.expect(catalog.RECEIPTS, provider, NO_EVENT, verdict)

    def forged(self, provider: str) -> None:
        """Count a request that the vendor did not sign."""
        self._metrics.count(catalog.RECEIPTS, provider, NO_EVENT, "forged")

    def unreadable(self, provider: str, count: int = 1) -> None:
        """Count requests or elements that are not in the vendor's format."""
        self._metrics.count(catalog.RECEIPTS, provider, NO_EVENT, "unreadable", amount=count)

    def in_inbox(self, count: int) -> None:
        """Count messages that were stored in the inbox."""
        self._metrics.count(catalog.RECEIPTS_INBOX, amount=count)

    def stored(self, provider: str, report: Report, *, received_at: datetime) -> None:
        """Count the receipts of a request that is stored, and how late they came."""
        for event, count in Counter(each.event for each in report.receipts).items():
            self._metrics.count(catalog.RECEIPTS, provider, event, "stored", amount=count)
        for each in report.receipts:
            if each.at is not None:
                lag = (received_at - each.at).total_seconds()
                self._metrics.observe(catalog.RECEIPT_LAG, lag, provider, "intake")
        if report.unreadable:
            self.unreadable(provider, report.unreadable)
        if report.ignored:
            self._metrics.count(
                catalog.RECEIPTS, provider, NO_EVENT, "ignored", amount=report.ignored
            )
