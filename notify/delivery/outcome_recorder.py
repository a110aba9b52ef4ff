"""Recording outcomes: find the next step by the rules, write it, then decide on the message."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from notify.arrival import Again
from notify.delivery.call import CallResult
from notify.delivery.first_event import FIRST
from notify.delivery.metrics import DeliveryMetrics
from notify.delivery.outcome_report import OutcomeReport
from notify.delivery.plan import Attempt, DeliveryItem
from notify.delivery.recorder import PendingRecord, Recorder
from notify.message import Notification
from notify.policies.retry import History, RetryPolicy, Verdict
from notify.relays import OwnEvents
from notify.store import Claimed, Entry, Record
from notify.store.delivery import LONGEST_REASON
from notify.suppression import BOUNCE_LASTS, Suppression, refusal
from notify.telemetry.tracing import NO_TRACE

log = structlog.get_logger("notify.delivery")


class OutcomeRecorder:
    """Has the outcomes of calls recorded, from any thread."""

    def __init__(
        self,
        *,
        policy: RetryPolicy,
        recorder: Recorder,
        metrics: DeliveryMetrics,
        clock: Callable[[], datetime],
        bounce_lasts: timedelta = BOUNCE_LASTS,
        own_events: OwnEvents | None = None,
    ) -> None:
        """
        Wire the parts.

        Args:
            own_events: Where to put the events that this process announces from memory.
        """
        self._policy = policy
        self._recorder = recorder
        self._clock = clock
        self._bounce_lasts = bounce_lasts
        self._own_events = OwnEvents(most=0) if own_events is None else own_events
        self._report = OutcomeReport(recorder, metrics, self._own_events, clock=clock)

    def calls_ended(self, ended: Sequence[tuple[Attempt, CallResult]]) -> None:
        """Record the outcomes of messages whose calls this worker has made, in one transaction."""
        pending = []
        alike: dict[Hashable, PendingRecord] = {}
        for attempt, result in ended:
            try:
                key = _alike(attempt, result)
                like = None if key is None else alike.get(key)
                if like is None:
                    like = alike[key] = self._call_ended(attempt, result)
                    pending.append(like)
                else:
                    pending.append(like.of(attempt))
            except Exception as error:  # noqa: BLE001 - logged with the message
                record_fault(attempt, error)
        if pending:
            self._recorder.put(*pending)

    def _call_ended(self, attempt: Attempt, result: CallResult) -> PendingRecord:
        record = self.record_of(attempt, result)
        if record.to_publish and record.fence == FIRST:
            until = self._own_events.lease_end(record.ended_at)
            record = replace(record, announced_until=until)
        stops = self._stops(attempt.entry, result, now=record.ended_at)
        return self._pending(attempt.item, attempt.entry, attempt.claimed, record, stops)

    def call_lapsed(
        self, item: DeliveryItem, entry: Entry, claimed: Claimed, attempt_id: UUID
    ) -> None:
        """Record the unknown outcome of another worker's call whose claim has lapsed."""
        reason = "the worker that made the call never recorded its outcome"
        result = CallResult(Verdict.UNKNOWN, reason=reason)
        record = self._record(item.notification, claimed, attempt_id, result)
        self._recorder.put(self._pending(item, entry, claimed, record))

    def _stops(self, entry: Entry, result: CallResult, *, now: datetime) -> Suppression | None:
        if result.refused is None:
            return None
        return refusal(
            entry.notification,
            result.refused,
            provider=entry.provider or "",
            sender=entry.sender,
            code=result.code,
            since=result.refused_since,
            now=now,
            bounce_lasts=self._bounce_lasts,
        )

    def record_of(self, attempt: Attempt, result: CallResult) -> Record:
        """Return the record of a call that this worker has made."""
        attempt_id = attempt.message.attempt_id
        return self._record(attempt.notification, attempt.claimed, attempt_id, result)

    def handover_record(self, attempt: Attempt, result: CallResult) -> Record | None:
        """
        Return the record of a call after which another provider is called at once.

        The wait that this provider requests before a next attempt does not matter then.

        Returns:
            None if the lane allows no further call.
        """
        record = self.record_of(attempt, result)
        now = record.ended_at
        history = History(attempt.claimed.received_at or now, record.spent)
        allowed = self._policy.allows_another(attempt.notification, history, now=now)
        return replace(record, reason=result.reason) if allowed else None

    def _record(
        self, notification: Notification, claimed: Claimed, attempt_id: UUID, result: CallResult
    ) -> Record:
        now = self._clock()
        history = History(claimed.received_at or now, claimed.spent)
        following = self._policy.after(
            result.verdict, notification, history, now=now, retry_after=result.retry_after
        )
        reason = "; ".join(filter(None, (result.reason, following.note)))
        return Record(
            notification_id=notification.id,
            attempt_id=attempt_id,
            ended_at=now,
            outcome=result.outcome,
            status=following.status,
            fence=claimed.fence,
            provider_id=result.provider_id,
            http_status=result.http_status,
            code=result.code,
            reason=reason[:LONGEST_REASON] or None,
            spent=following.spent,
            due_at=following.due_at,
            possible_duplicate=following.possible_duplicate,
        )

    def _pending(
        self,
        item: DeliveryItem,
        entry: Entry,
        claimed: Claimed,
        record: Record,
        stops: Suppression | None = None,
    ) -> PendingRecord:
        return PendingRecord(record, item, entry, claimed, self._report, stops)


def _alike(attempt: Attempt, result: CallResult) -> Hashable:
    """Return what attempts with equal outcomes have in common; None for one that has no equal."""
    item = attempt.item
    if result.verdict is not Verdict.SENT or item.trace is not NO_TRACE:
        return None
    # One request's recipients, which differ in no other field of an event or a log line.
    return id(result), id(attempt.claimed), id(item.settlement), attempt.entry.provider


def record_fault(attempt: Attempt, error: Exception) -> None:
    """
    Log a fault of this worker after a call, and have the message delivered again.

    Without a decision it would stay unacknowledged for ever. It is delivered again until its claim
    has lapsed; then the rule for lost answers decides.
    """
    log.error("notify.call_fault", **attempt.notification.ids, exc_info=error)
    attempt.item.settlement.add(Again())
