"""Making one call to a provider, if it may still be made, and counting how it ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from notify.delivery.call import CallResult, send, worst_kind
from notify.delivery.metrics import DeliveryMetrics
from notify.delivery.plan import Attempt, Call
from notify.delivery.regrouping import resolved
from notify.flow import Flow
from notify.gateway import ConfiguredProvider
from notify.policies.retry import Verdict
from notify.telemetry.tracing import NO_TRACE, nanoseconds_now


class CallMaker:
    """Makes calls, and reports each to the provider's circuit and limits. Safe among threads."""

    def __init__(
        self,
        *,
        flow: Flow,
        metrics: DeliveryMetrics,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._flow = flow
        self._metrics = metrics
        self._monotonic = monotonic

    def make(self, call: Call, attempts: Sequence[Attempt], *, deadline: float) -> list[CallResult]:
        """
        Make a call, and return the result of each message.

        Messages that were not sent because of others of their request are sent again at once, in
        further requests of the same call, as long as its circuit permits and *deadline* allows.

        Args:
            attempts: The call's messages that are claimed.
            deadline: The latest start of a request, by the monotonic clock.
        """
        results = self._request(call, attempts, deadline=deadline)
        if len(attempts) == 1:
            return results

        def send_again(positions: Sequence[int]) -> Sequence[CallResult]:
            permit = self._flow.circuits.permit(call.provider.name)
            if permit is None:
                return [replace(results[position], apart=False) for position in positions]
            further = replace(call, permit=permit)
            some = [attempts[position] for position in positions]
            return self._request(further, some, deadline=deadline)

        return resolved(results, send_again)

    def _request(
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
            if attempt.item.trace is NO_TRACE:
                continue
            attempt.item.trace.note("send", began_at, ended_at)
            attempt.item.trace.annotate(
                provider=provider.name,
                attempt_id=str(attempt.message.attempt_id),
                outcome=result.outcome.value,
                http_status=result.http_status,
            )
        circuits.ended(call.permit, worst_kind(results), seconds)
        judged = [result.verdict for result in results if not result.apart]
        self._metrics.called(provider.name, judged, seconds)
        self._limit(provider, results)
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

    def _limit(self, provider: ConfiguredProvider, results: Sequence[CallResult]) -> None:
        """Slow down or pause the provider's limits once, if a result requires it."""
        flow = self._flow
        throttled = [result for result in results if result.verdict is Verdict.THROTTLED]
        if throttled:
            flow.limiter.throttled(
                provider.limits,
                retry_after=throttled[0].retry_after,
                calls_per_second=flow.circuits.calls_per_second(provider.name),
            )
            return
        exhausted = [each for result in results if (each := result.exhausted_for) is not None]
        if exhausted:
            flow.limiter.exhausted(provider.limits, max(exhausted))
