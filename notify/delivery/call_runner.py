"""Making a call, and going on to the next provider where one certainly did not send."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import structlog

from notify.delivery.call import CallResult, call
from notify.delivery.decision import Again
from notify.delivery.lane import Lane
from notify.delivery.metrics import DeliveryMetrics
from notify.delivery.outcome_recorder import LOOK_AGAIN, OutcomeRecorder
from notify.delivery.plan import Plan
from notify.errors import StoreError
from notify.flow import Admission, Admitted, Flow
from notify.gateway import ConfiguredProvider
from notify.policies.retry import Verdict
from notify.settings import LONGEST_TIMEOUT
from notify.store import Claimed, Record, Store
from notify.store.delivery import LEASE, hand_over

LATEST = (LEASE - timedelta(seconds=2 * LONGEST_TIMEOUT)).total_seconds()
"""Seconds after its claim at which a call may begin at the latest, to be over within the lease."""

CERTAIN = frozenset({Verdict.RETRY, Verdict.THROTTLED})
"""It was certainly not sent, and another provider may take it."""

log = structlog.get_logger("notify.delivery")


class CallRunner:
    """Makes the calls of claimed plans, in the senders' threads."""

    def __init__(
        self,
        *,
        store: Store,
        flow: Flow,
        admission: Admission,
        outcomes: OutcomeRecorder,
        metrics: DeliveryMetrics,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store = store
        self._flow = flow
        self._admission = admission
        self._outcomes = outcomes
        self._metrics = metrics
        self._monotonic = monotonic
        self._sleep = sleep

    def deadline(self) -> float:
        """Return the last moment to begin a call whose claim is written from now on."""
        return self._monotonic() + LATEST

    def run(self, lane: Lane, plan: Plan, claimed: Claimed, deadline: float) -> None:
        """Make one claimed call, record its outcome, and give its lane's permit back."""
        try:
            self._outcomes.call_ended(*self._make(plan, claimed, deadline=deadline))
        except Exception as error:
            # Unsettled, the message would stay unacknowledged for ever. Looked at again, its claim
            # is found once it has lapsed, and the rule for lost answers decides.
            log.error("notify.call_fault", **plan.ask.notification.ids, exc_info=error)
            plan.ask.tally.add(Again(LOOK_AGAIN))
        finally:
            lane.permits.give()

    def _make(
        self, plan: Plan, claimed: Claimed, *, deadline: float
    ) -> tuple[Plan, Claimed, CallResult]:
        """
        Call, and call the next provider while there is one and nothing was sent.

        Args:
            deadline: The last moment to begin, by the monotonic clock.

        Returns:
            The last call's plan and claim, and how it ended.
        """
        tried: list[ConfiguredProvider] = []
        while True:
            answer = self._call(plan, deadline=deadline)
            tried.append(_line(plan))
            if answer.verdict not in CERTAIN:
                return plan, claimed, answer
            # Before the new claim is written, as its lease runs from then.
            deadline = self.deadline()
            onward = self._onward(plan, claimed, answer, tried=tried)
            if onward is None:
                return plan, claimed, answer
            plan, claimed = onward

    def _call(self, plan: Plan, *, deadline: float) -> CallResult:
        assert plan.pass_ is not None  # noqa: S101 - only plans with a call come here
        assert plan.message is not None  # noqa: S101
        line = _line(plan)
        began = self._monotonic()
        if began >= deadline:
            self._flow.circuits.released(plan.pass_)
            reason = "the worker was held up too long after its claim, so the call was not made"
            return CallResult(Verdict.RETRY, reason=reason)
        try:
            with plan.ask.trace.during("send"):
                answer = call(line, plan.message)
        except BaseException:
            # Cut off: it says nothing about the provider.
            self._flow.circuits.released(plan.pass_)
            raise
        seconds = self._monotonic() - began
        plan.ask.trace.tell(
            provider=line.name,
            attempt_id=str(plan.message.attempt_id),
            outcome=answer.outcome.value,
            http_status=answer.http_status,
        )
        self._flow.circuits.ended(plan.pass_, answer.kind, seconds)
        self._metrics.called(line.name, answer.verdict, seconds)
        self._tell_limiter(line, answer)
        return answer

    def _tell_limiter(self, line: ConfiguredProvider, answer: CallResult) -> None:
        flow = self._flow
        if answer.verdict is Verdict.THROTTLED:
            flow.limiter.throttled(
                line.limits,
                retry_after=answer.retry_after,
                calls_per_second=flow.circuits.calls_per_second(line.name),
            )
        elif answer.exhausted_for is not None:
            flow.limiter.exhausted(line.limits, answer.exhausted_for)

    def _onward(
        self, plan: Plan, claimed: Claimed, answer: CallResult, *, tried: list[ConfiguredProvider]
    ) -> tuple[Plan, Claimed] | None:
        """Hand the notification on to another provider, if the rules still allow an attempt."""
        assert plan.message is not None  # noqa: S101
        record = self._outcomes.handed_on(plan, claimed, answer)
        if record is None:
            return None
        leave = self._admission.elsewhere((plan.ask.notification, plan.message), tried=tried)
        if leave is None:
            return None
        onward = self._handed_over(plan, claimed, leave, record)
        if onward is None:
            self._flow.circuits.released(leave.pass_)
            return None
        rest = leave.at - self._monotonic()
        if rest > 0:
            self._sleep(rest)
        return onward

    def _handed_over(
        self, plan: Plan, claimed: Claimed, leave: Admitted, record: Record
    ) -> tuple[Plan, Claimed] | None:
        assert plan.message is not None  # noqa: S101
        attempt_id = uuid4()
        try:
            with self._store.writing() as connection:
                fence = hand_over(
                    connection,
                    record,
                    attempt_id=attempt_id,
                    provider=leave.line.name,
                    until=record.ended_at + LEASE,
                )
        except StoreError as error:
            log.error("notify.store_away", waiting=1, error=str(error))
            return None
        if fence is None:
            return None
        log.info(
            "notify.handed_over",
            **plan.ask.notification.ids,
            provider=_line(plan).name,
            next_provider=leave.line.name,
            reason=record.reason,
        )
        following = replace(
            plan,
            entry=replace(plan.entry, attempt_id=attempt_id),
            message=replace(plan.message, attempt_id=attempt_id),
        )
        return following.through(leave), replace(claimed, fence=fence, spent=record.spent)


def _line(plan: Plan) -> ConfiguredProvider:
    assert plan.line is not None  # noqa: S101 - only plans with a call come here
    return plan.line
