"""One call to a provider, and what its end says."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from notify.delivery import normalize
from notify.errors import PermanentError, ProviderError, Throttled, TransientError
from notify.gateway import ConfiguredProvider
from notify.message import Outcome, Receipt, Rendered
from notify.policies.breaker import Kind, kind_of
from notify.policies.retry import Verdict
from notify.store.delivery import LONGEST_CODE, LONGEST_ID, LONGEST_REASON

log = structlog.get_logger("notify.call")


@dataclass(frozen=True, slots=True)
class CallResult:
    """How a call ended."""

    verdict: Verdict
    provider_id: str | None = None
    http_status: int | None = None
    code: str | None = None
    reason: str | None = None
    retry_after: float | None = None
    """Seconds the vendor asks to wait."""
    kind: Kind = Kind.NEUTRAL
    """What it says about the provider."""
    exhausted_for: float | None = None
    """Seconds for which the vendor has no allowance left."""

    @property
    def outcome(self) -> Outcome:
        """What the attempt is closed with."""
        return outcome_of(self.verdict)


def outcome_of(verdict: Verdict) -> Outcome:
    """Tell what an attempt is closed with that ended so."""
    return _OUTCOMES.get(verdict, Outcome.NOT_SENT)


_OUTCOMES = {Verdict.SENT: Outcome.ACCEPTED, Verdict.UNKNOWN: Outcome.UNKNOWN}


def call(line: ConfiguredProvider, message: Rendered) -> CallResult:
    """
    Make the call; whatever happens, there is an answer, and the record can store it.

    A provider that returns has handed the message over, whatever it returns: to call that unknown
    would send the message again.
    """
    try:
        return _called(line, message)
    except Exception as error:  # noqa: BLE001 - a fault in a provider must not stop its neighbours
        # The error's text could hold anything, so only its kind is logged.
        kind = type(error).__name__
        _log_fault(line, message, kind)
        reason = f"a fault in the provider {line.name}: {kind}"
        return CallResult(Verdict.UNKNOWN, reason=reason, kind=Kind.FAILURE)


def _called(line: ConfiguredProvider, message: Rendered) -> CallResult:
    try:
        receipt: object = line.send(message)
    except ProviderError as error:
        return _refused(error)
    if not isinstance(receipt, Receipt):
        _log_fault(line, message, f"returned {type(receipt).__name__}, not a Receipt")
        return CallResult(Verdict.SENT, kind=Kind.SUCCESS)
    return CallResult(
        Verdict.SENT,
        provider_id=normalize.text(receipt.provider_id, longest=LONGEST_ID),
        kind=Kind.SUCCESS,
        exhausted_for=normalize.seconds(receipt.exhausted_for),
    )


def _log_fault(line: ConfiguredProvider, message: Rendered, kind: str) -> None:
    id_ = str(message.notification_id)
    log.error("notify.provider_fault", id=id_, provider=line.name, error_kind=kind)


def _refused(error: ProviderError) -> CallResult:
    # A provider's own class of error may lack any of these.
    return CallResult(
        _verdict(error),
        http_status=normalize.http_status(getattr(error, "status", None)),
        code=normalize.text(getattr(error, "code", None), longest=LONGEST_CODE),
        reason=normalize.text(str(error), longest=LONGEST_REASON),
        retry_after=normalize.seconds(getattr(error, "retry_after", None)),
        kind=kind_of(error) or Kind.NEUTRAL,
    )


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
