"""How calls end on record: what follows by the rules, written, then the message decided on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import structlog

from notify.delivery.call import CallResult
from notify.delivery.decision import Again, Dead, Done
from notify.delivery.metrics import DeliveryMetrics
from notify.delivery.plan import Plan
from notify.delivery.recorder import PendingRecord, Recorder
from notify.message import Status
from notify.policies.retry import History, RetryPolicy, Verdict
from notify.store import Claimed, Record
from notify.store.delivery import LONGEST_REASON
from notify.telemetry.tracing import nanoseconds_now

LOOK_AGAIN = 1.0
"""Seconds until a message is looked at again that another worker holds, or the store refused."""

DEAD_ENDS = frozenset({Status.EXPIRED, Status.FAILED})
"""An operator may want to mend these and replay them."""

log = structlog.get_logger("notify.delivery")


class OutcomeRecorder:
    """Takes the ends of calls, from any thread."""

    def __init__(
        self,
        *,
        policy: RetryPolicy,
        recorder: Recorder,
        metrics: DeliveryMetrics,
        clock: Callable[[], datetime],
    ) -> None:
        self._policy = policy
        self._recorder = recorder
        self._metrics = metrics
        self._clock = clock

    def call_ended(self, plan: Plan, claimed: Claimed, answer: CallResult) -> None:
        """Record the end of a call that this worker has made."""
        self._put(plan, claimed, self.record_of(plan, claimed, answer))

    def call_lapsed(self, plan: Plan, claimed: Claimed) -> None:
        """Record the end of a call whose worker never came back."""
        assert claimed.attempt_id is not None  # noqa: S101 - a lapsed claim has its call
        reason = "the worker that made the call never recorded its outcome"
        answer = CallResult(Verdict.UNKNOWN, reason=reason)
        self._put(plan, claimed, self._record(plan, claimed, claimed.attempt_id, answer))

    def record_of(self, plan: Plan, claimed: Claimed, answer: CallResult) -> Record:
        """Tell what is to be recorded of a call that this worker has made."""
        assert plan.entry.attempt_id is not None  # noqa: S101 - only plans with a call come here
        return self._record(plan, claimed, plan.entry.attempt_id, answer)

    def handed_on(self, plan: Plan, claimed: Claimed, answer: CallResult) -> Record | None:
        """
        Tell what is to be recorded of a call where another provider is called at once.

        What this provider wants of the next attempt, such as a long wait, does not matter then.

        Returns:
            None where the lane allows no further call.
        """
        record = self.record_of(plan, claimed, answer)
        now = record.ended_at
        history = History(claimed.received_at or now, record.spent)
        allowed = self._policy.allows_another(plan.ask.notification, history, now=now)
        return replace(record, reason=answer.reason) if allowed else None

    def _record(self, plan: Plan, claimed: Claimed, attempt_id: UUID, answer: CallResult) -> Record:
        now = self._clock()
        notification = plan.ask.notification
        history = History(claimed.received_at or now, claimed.spent)
        following = self._policy.after(
            answer.verdict, notification, history, now=now, retry_after=answer.retry_after
        )
        reason = "; ".join(filter(None, (answer.reason, following.note)))
        return Record(
            notification_id=notification.id,
            attempt_id=attempt_id,
            ended_at=now,
            outcome=answer.outcome,
            status=following.status,
            fence=claimed.fence,
            provider_id=answer.provider_id,
            http_status=answer.http_status,
            code=answer.code,
            reason=reason[:LONGEST_REASON] or None,
            spent=following.spent,
            due_at=following.due_at,
            possible_duplicate=following.possible_duplicate,
        )

    def _put(self, plan: Plan, claimed: Claimed, record: Record) -> None:
        began = nanoseconds_now()
        again = self._recorder.claim_again

        def recorded(owned: bool) -> None:
            if owned:
                self._metrics.recorded(plan.ask.notification, claimed, record)
                _trace(plan, record, began)
            elif (claim := again(plan.entry, record, now=self._clock())) is not None:
                # The row may have another id than the one that was lost.
                row = claim.id or plan.entry.notification.id
                self._put(plan, claim, replace(record, notification_id=row, fence=claim.fence))
                return
            _decide(plan, record, owned=owned)

        self._recorder.put(PendingRecord(record, recorded))


def _trace(plan: Plan, record: Record, began: int) -> None:
    trace = plan.ask.trace
    trace.note("record", began, nanoseconds_now())
    trace.ended(plan.ask.notification, record.status)


def _decide(plan: Plan, record: Record, *, owned: bool) -> None:
    """Decide on a notification whose call is on record, or was taken over by another worker."""
    notification = plan.ask.notification
    if not owned:
        log.error("notify.fenced", **notification.ids, outcome=record.outcome)
        plan.ask.tally.add(Again(LOOK_AGAIN))
        return
    tell = log.info if record.status is Status.SENT else log.warning
    event = f"notify.{record.status}"
    if record.status is Status.UNKNOWN and record.due_at is None:
        # Nobody takes it up by itself any more: an operator must, and is alerted by this line.
        tell, event = log.error, "notify.parked"
    known = {
        "provider": plan.entry.provider,
        "http_status": record.http_status,
        "code": record.code,
        "reason": record.reason,
        "due_at": record.due_at and record.due_at.isoformat(),
    }
    tell(
        event,
        **notification.ids,
        attempt_id=str(record.attempt_id),
        channel=notification.channel,
        lane=notification.lane,
        source=notification.source,
        **{name: value for name, value in known.items() if value is not None},
    )
    plan.ask.tally.add(Dead() if record.status in DEAD_ENDS else Done())
