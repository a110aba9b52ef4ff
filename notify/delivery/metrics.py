"""The metrics of a delivery."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime

from notify.delivery.call import outcome_of
from notify.message import Channel, Notification, Status
from notify.policies.retry import Verdict
from notify.store import Claim, Claimed, Entry, Record
from notify.store.suppression import SuppressionReason, reason_in
from notify.telemetry.metrics import Metrics, catalog

_OTHER_LANE = "other"
"""The label of a lane that this pool does not have, so that producers cannot add labels."""


class DeliveryMetrics:
    """Counts what happens to notifications, and how long it took. Safe among threads."""

    def __init__(
        self,
        metrics: Metrics,
        *,
        channel: Channel,
        lanes: Collection[str],
        providers: Sequence[str],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Start all series at zero, so that Prometheus sees the first increase of each."""
        self._metrics = metrics
        self._lanes = frozenset(lanes)
        self._clock = clock
        for lane in lanes:
            for family in _BY_LANE:
                metrics.expect(family, channel, lane)
            for status in _ENDS:
                metrics.expect(catalog.ENDED, channel, lane, status)
            for reason in SuppressionReason:
                metrics.expect(catalog.SUPPRESSED_SENDS, channel, lane, reason)
        for provider in providers:
            metrics.expect(catalog.CALL, provider)
            for verdict in Verdict:
                metrics.expect(catalog.ATTEMPTS, provider, outcome_of(verdict).value, verdict.value)

    def claimed(self, entry: Entry, claimed: Claimed | None, *, times: int = 1) -> None:
        """
        Count the result of a claim, or of several of one request; None if the record is away.
        """
        if claimed is None:
            return
        notification = entry.notification
        labels = self._labels(notification)
        match claimed.claim:
            case Claim.OWNED:
                self._owned(entry, claimed, labels, times)
            case Claim.DUPLICATE | Claim.DEAD:
                self._metrics.count(catalog.DUPLICATES, *labels, amount=times)
            case Claim.CONFLICT:
                self._metrics.count(catalog.CONFLICTS, *labels, amount=times)

    def called(self, provider: str, verdicts: Iterable[Verdict], seconds: float) -> None:
        """Count a call to a provider, and the verdict on each of its messages."""
        for verdict, number in Counter(verdicts).items():
            labels = (provider, outcome_of(verdict).value, verdict.value)
            self._metrics.count(catalog.ATTEMPTS, *labels, amount=number)
        self._metrics.observe(catalog.CALL, seconds, provider)

    def recorded(
        self, notification: Notification, claimed: Claimed, record: Record, *, times: int = 1
    ) -> None:
        """Count the result of a notification's call, or of several with an equal result."""
        labels = self._labels(notification)
        if record.possible_duplicate:
            self._metrics.count(catalog.POSSIBLE_DUPLICATES, *labels, amount=times)
        if record.to_publish:
            self._metrics.count(catalog.ENDED, *labels, record.status.value, amount=times)
        if record.status is Status.SENT:
            since = claimed.waited_since or notification.published_at or record.ended_at
            if notification.send_at is not None:
                since = max(since, notification.send_at)
            seconds = (record.ended_at - since).total_seconds()
            self._metrics.observe(catalog.DELIVERY, seconds, *labels, times=times)

    def _owned(self, entry: Entry, claimed: Claimed, labels: tuple[str, str], times: int) -> None:
        if claimed.fresh:
            self._metrics.count(catalog.ACCEPTED, *labels, amount=times)
        if entry.notification.published_at is not None:
            waited = self._clock() - entry.notification.published_at
            self._metrics.observe(catalog.QUEUED, waited.total_seconds(), *labels, times=times)
        if claimed.suppressed is not None:
            self._metrics.count(catalog.ENDED, *labels, Status.SUPPRESSED.value, amount=times)
            reason = reason_in(claimed.suppressed)
            self._metrics.count(catalog.SUPPRESSED_SENDS, *labels, reason.value, amount=times)
        elif entry.status is Status.QUEUED:
            self._metrics.count(catalog.DEFERRED, *labels, amount=times)
        elif entry.status.final:
            self._metrics.count(catalog.ENDED, *labels, entry.status.value, amount=times)

    def _labels(self, notification: Notification) -> tuple[str, str]:
        lane = notification.lane if notification.lane in self._lanes else _OTHER_LANE
        return notification.channel.value, lane


_BY_LANE = (
    catalog.ACCEPTED,
    catalog.DUPLICATES,
    catalog.CONFLICTS,
    catalog.DEFERRED,
    catalog.POSSIBLE_DUPLICATES,
    catalog.QUEUED,
    catalog.DELIVERY,
)
_ENDS = (
    Status.SENT,
    Status.REJECTED,
    Status.FAILED,
    Status.EXPIRED,
    Status.SUPPRESSED,
    Status.UNKNOWN,
)
"""The statuses in which a delivery can end a notification."""
