"""Making a call; if a message was certainly not sent, trying the next provider."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import structlog

from notify.delivery.call import CallResult, send, worst_kind
from notify.delivery.decision import Again
from notify.delivery.lane import Lane
from notify.delivery.metrics import DeliveryMetrics
from notify.delivery.outcome_recorder import OutcomeRecorder
from notify.delivery.plan import Attempt, Call, Ready
from notify.errors import StoreError
from notify.flow import Admission, Admitted, Flow
from notify.gateway import ConfiguredProvider
from notify.policies.retry import Verdict
from notify.settings import LONGEST_TIMEOUT
from notify.store import Record, Store
from notify.store.delivery import LEASE, hand_over
from notify.telemetry.tracing import nanoseconds_now

LATEST = (LEASE - timedelta(seconds=2 * LONGEST_TIMEOUT)).total_seconds()
"""Seconds after its claim within which a call must start, to finish within the lease."""

CERTAIN = frozenset({Verdict.RETRY, Verdict.THROTTLED})
"""The message was certainly not sent, so another provider may send it."""

log = structlog.get_logger("notify.delivery")


class CallRunner:
    """Makes the calls of claimed messages, in the senders' threads."""

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
        """Return the latest start of a call whose claim is written from now on."""
        return self._monotonic() + LATEST

    def run(self, lane: Lane, call: Call, attempts: Sequence[Attempt], deadline: float) -> None:
        """
        Make a call, have its outcomes recorded, and release the lane's permits.

        Args:
            attempts: The call's messages that are claimed; each has one of the lane's permits.
            deadline: The latest start, by the monotonic clock.
        """
        began = self._monotonic()
        try:
            results = self._make(call, attempts, deadline=deadline)
        except Exception as error:  # noqa: BLE001 - logged for each message
            for attempt in attempts:
                _fail(attempt, error)
        else:
            for attempt, result in zip(attempts, results, strict=True):
                self._conclude(call.provider, attempt, result)
        finally:
            lane.permits.release(len(attempts), seconds=self._monotonic() - began)

    def _conclude(self, provider: ConfiguredProvider, attempt: Attempt, result: CallResult) -> None:
        try:
            self._outcomes.call_ended(*self._last(provider, attempt, result))
        except Exception as error:  # noqa: BLE001 - logged with the message
            _fail(attempt, error)

    def _last(
        self, provider: ConfiguredProvider, attempt: Attempt, result: CallResult
    ) -> tuple[Attempt, CallResult]:
        """Try other providers while nothing was sent; return the last attempt, and its result."""
        tried = [provider]
        while result.verdict in CERTAIN:
            # Computed before the new claim is written: its lease starts there.
            deadline = self.deadline()
            onward = self._onward(attempt, result, tried=tried)
            if onward is None:
                break
            following, attempt = onward
            (result,) = self._make(following, [attempt], deadline=deadline)
            tried.append(following.provider)
        return attempt, result

    def _make(
        self, call: Call, attempts: Sequence[Attempt], *, deadline: float
    ) -> list[CallResult]:
        provider, circuits = call.provider, self._flow.circuits
        began, began_at = self._monotonic(), nanoseconds_now()
        reason = self._too_late(call, attempts, late=began >= deadline)
        if reason is not None:
            circuits.released(call.permit)
            # No attempt is counted: nothing reached the provider.
            return [CallResult(Verdict.THROTTLED, reason=reason)] * len(attempts)
        try:
            results = send(provider, [attempt.message for attempt in attempts])
        except BaseException:
            # Interrupted: the call has no result for the circuit.
            circuits.released(call.permit)
            raise
        seconds, ended_at = self._monotonic() - began, nanoseconds_now()
        for attempt, result in zip(attempts, results, strict=True):
            attempt.item.trace.note("send", began_at, ended_at)
            attempt.item.trace.annotate(
                provider=provider.name,
                attempt_id=str(attempt.message.attempt_id),
                outcome=result.outcome.value,
                http_status=result.http_status,
            )
        circuits.ended(call.permit, worst_kind(results), seconds)
        self._metrics.called(provider.name, [result.verdict for result in results], seconds)
        for result in results:
            self._limit(provider, result)
        return results

    def _too_late(self, call: Call, attempts: Sequence[Attempt], *, late: bool) -> str | None:
        """Return why a claimed call may not be made any more; None if it may."""
        if late:
            return "the worker was delayed too long after its claim, so the call was not made"
        name, holds = call.provider.name, self._flow.holds
        if not call.permit.probe and not self._flow.circuits.flows(name):
            return f"the circuit of {name} opened after the claim, so the call was not made"
        if holds.stops_provider(name) or any(holds.match(each.notification) for each in attempts):
            return "an operator's hold began after the claim, so the call was not made"
        return None

    def _limit(self, provider: ConfiguredProvider, result: CallResult) -> None:
        """Slow down or pause the provider's limits, if the result requires it."""
        flow = self._flow
        if result.verdict is Verdict.THROTTLED:
            flow.limiter.throttled(
                provider.limits,
                retry_after=result.retry_after,
                calls_per_second=flow.circuits.calls_per_second(provider.name),
            )
        elif result.exhausted_for is not None:
            flow.limiter.exhausted(provider.limits, result.exhausted_for)

    def _onward(
        self, attempt: Attempt, result: CallResult, *, tried: Sequence[ConfiguredProvider]
    ) -> tuple[Call, Attempt] | None:
        """Hand a message over to another provider, if the rules still allow an attempt."""
        record = self._outcomes.handover_record(attempt, result)
        if record is None:
            return None
        admitted = self._admission.elsewhere(attempt.notification, attempt.message, tried=tried)
        if admitted is None:
            return None
        onward = self._handed_over(attempt, admitted, record)
        if onward is None:
            self._flow.circuits.released(admitted.permit)
            return None
        rest = admitted.at - self._monotonic()
        if rest > 0:
            self._sleep(rest)
        return onward

    def _handed_over(
        self, attempt: Attempt, admitted: Admitted, record: Record
    ) -> tuple[Call, Attempt] | None:
        attempt_id = uuid4()
        entry = replace(attempt.entry, attempt_id=attempt_id)
        message = replace(attempt.message, attempt_id=attempt_id)
        onward = Ready(attempt.item, entry, message).call(admitted)
        (part,) = onward.parts
        until = record.ended_at + LEASE
        try:
            with self._store.writing() as connection:
                fence = hand_over(connection, record, part.entry, until=until)
        except StoreError as error:
            log.error("notify.store_away", waiting=1, error=str(error))
            return None
        if fence is None:
            return None
        log.info(
            "notify.handed_over",
            **attempt.notification.ids,
            provider=attempt.entry.provider,
            next_provider=admitted.provider.name,
            reason=record.reason,
        )
        claimed = replace(attempt.claimed, fence=fence, spent=record.spent)
        return onward, part.attempt(claimed)


def _fail(attempt: Attempt, error: Exception) -> None:
    # Without a decision the message would stay unacknowledged for ever. It is delivered again until
    # its claim has lapsed; then the rule for lost answers decides.
    log.error("notify.call_fault", **attempt.notification.ids, exc_info=error)
    attempt.item.settlement.add(Again())
