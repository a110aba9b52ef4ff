"""One call to a provider, and its result for each message."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import structlog

from notify.channels import CHANNELS
from notify.errors import (
    GroupRefused,
    OptedOut,
    PermanentError,
    ProviderError,
    RecipientGone,
    Throttled,
    TransientError,
)
from notify.gateway import ConfiguredProvider
from notify.message import Outcome, Receipt, Rendered
from notify.policies import normalize
from notify.policies.breaker import Kind, kind_of
from notify.policies.retry import Verdict
from notify.store.delivery import LONGEST_CODE, LONGEST_ID, LONGEST_REASON
from notify.suppression import SuppressionReason

log = structlog.get_logger("notify.call")


@dataclass(frozen=True, slots=True)
class CallResult:
    """The result of a call for one message."""

    verdict: Verdict
    provider_id: str | None = None
    http_status: int | None = None
    code: str | None = None
    reason: str | None = None
    """Why it was not sent; of a sent message, what the vendor counts if that is more than one."""
    retry_after: float | None = None
    """The wait in seconds that the vendor requests."""
    kind: Kind = Kind.NEUTRAL
    """Its meaning for the provider's circuit."""
    refused: SuppressionReason | None = None
    """Why the vendor accepts nothing for this recipient; None if the refusal is about more."""
    refused_since: datetime | None = None
    """When the vendor noticed that; None if it does not say."""
    exhausted_for: float | None = None
    """Seconds for which the vendor has no allowance left."""
    apart: bool = False
    """Whether only its request kept it from being sent: it may be sent at once in another one."""

    @property
    def outcome(self) -> Outcome:
        """The outcome of the attempt."""
        return outcome_of(self.verdict)


def outcome_of(verdict: Verdict) -> Outcome:
    """Return the outcome of an attempt with this verdict."""
    return _OUTCOMES.get(verdict, Outcome.NOT_SENT)


_OUTCOMES = {Verdict.SENT: Outcome.ACCEPTED, Verdict.UNKNOWN: Outcome.UNKNOWN}


def send(provider: ConfiguredProvider, messages: Sequence[Rendered]) -> list[CallResult]:
    """
    Make one call, and return a result for each message that the record can store.

    No exception of the provider is raised. If it returns anything, the message counts as sent: to
    record it as unknown could send it again.

    Args:
        messages: One; or several, where the provider is `SendsMany`.
    """
    if len(messages) == 1:
        return [_result(provider, messages[0], partial(provider.send, messages[0]))]
    answers = _answers(provider, messages)
    # Most messages of a request have the same answer, often the same object: it is read once.
    read: dict[int, CallResult] = {}
    results = []
    for message, answer in zip(messages, answers, strict=True):
        result = read.get(id(answer))
        if result is None:
            result = _result(provider, message, partial(_received, answer))
            read[id(answer)] = result
        results.append(result)
    return results


def _answers(provider: ConfiguredProvider, messages: Sequence[Rendered]) -> Sequence[object]:
    try:
        answers = provider.send_many(messages)
        if len(answers) == len(messages):
            return answers
        raise ValueError("send_many returned a wrong number of answers")  # noqa: TRY301
    except Exception as error:  # noqa: BLE001 - it is each message's answer
        return [error] * len(messages)


def _received(answer: object) -> object:
    if isinstance(answer, Exception):
        raise answer
    return answer


def worst_kind(results: Sequence[CallResult]) -> Kind:
    """Return the worst of one call's results for the provider's circuit."""
    return min((result.kind for result in results), key=_WORST_FIRST.index)


_WORST_FIRST = (Kind.FATAL, Kind.UNREACHABLE, Kind.FAILURE, Kind.SUCCESS, Kind.NEUTRAL)


def _result(
    provider: ConfiguredProvider, message: Rendered, received: Callable[[], object]
) -> CallResult:
    try:
        return _read(provider, message, received)
    except Exception as error:  # noqa: BLE001 - a fault in a provider must not stop its neighbours
        # The error's text could contain anything, so only its type is logged.
        kind = type(error).__name__
        _log_fault(provider, message, kind)
        reason = f"a fault in the provider {provider.name}: {kind}"
        return CallResult(Verdict.UNKNOWN, reason=reason, kind=Kind.FAILURE)


def _read(
    provider: ConfiguredProvider, message: Rendered, received: Callable[[], object]
) -> CallResult:
    try:
        receipt = received()
    except ProviderError as error:
        return _refused(error)
    if not isinstance(receipt, Receipt):
        _log_fault(provider, message, f"returned {type(receipt).__name__}, not a Receipt")
        return CallResult(Verdict.SENT, kind=Kind.SUCCESS)
    units = provider.cost(message)
    return CallResult(
        Verdict.SENT,
        provider_id=normalize.text(receipt.provider_id, longest=LONGEST_ID),
        reason=f"{units:g} {CHANNELS[provider.channel].unit}" if units > 1 else None,
        kind=Kind.SUCCESS,
        exhausted_for=normalize.seconds(receipt.exhausted_for),
    )


def _log_fault(provider: ConfiguredProvider, message: Rendered, kind: str) -> None:
    id_ = str(message.notification_id)
    log.error("notify.provider_fault", id=id_, provider=provider.name, error_kind=kind)


def _refused(error: ProviderError) -> CallResult:
    # A provider's own error class may lack any of these.
    return CallResult(
        _verdict(error),
        http_status=normalize.http_status(getattr(error, "status", None)),
        code=normalize.text(getattr(error, "code", None), longest=LONGEST_CODE),
        reason=normalize.text(str(error), longest=LONGEST_REASON),
        retry_after=normalize.seconds(getattr(error, "retry_after", None)),
        kind=kind_of(error) or Kind.NEUTRAL,
        refused=_refusal(error),
        refused_since=normalize.moment(getattr(error, "since", None)),
        apart=isinstance(error, GroupRefused),
    )


def _refusal(error: ProviderError) -> SuppressionReason | None:
    match error:
        case OptedOut():
            return SuppressionReason.OPT_OUT
        case RecipientGone():
            return SuppressionReason.BOUNCE
    return None


def _verdict(error: ProviderError) -> Verdict:
    match error:
        case PermanentError():
            return Verdict.REJECTED
        case Throttled():
            return Verdict.THROTTLED
        case TransientError():
            return Verdict.RETRY
        case _:
            return Verdict.UNKNOWN
