"""One call to a provider, and what its end says."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from notify.breaker import Kind, kind_of
from notify.errors import (
    OutcomeUnknown,
    PermanentError,
    ProviderError,
    Throttled,
    TransientError,
)
from notify.gateway import Line
from notify.message import Outcome, Rendered
from notify.retry import Verdict

log = structlog.get_logger("notify.call")


@dataclass(frozen=True, slots=True)
class Answer:
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


def call(line: Line, message: Rendered) -> Answer:
    """Make the call; whatever happens, there is an answer."""
    try:
        receipt = line.send(message)
    except PermanentError as error:
        return _refused(error, Verdict.REJECTED)
    except Throttled as error:
        return _refused(error, Verdict.THROTTLED)
    except TransientError as error:
        return _refused(error, Verdict.RETRY)
    except (OutcomeUnknown, ProviderError) as error:
        return _refused(error, Verdict.UNKNOWN)
    except Exception as error:  # noqa: BLE001 - a fault in a provider must not stop its neighbours
        # Its text could hold anything, so only its kind is told.
        kind = type(error).__name__
        id_ = str(message.notification_id)
        log.error("notify.provider_fault", id=id_, provider=line.name, error_kind=kind)
        reason = f"a fault in the provider {line.name}: {kind}"
        return Answer(Verdict.UNKNOWN, reason=reason, kind=Kind.FAILURE)
    return Answer(
        Verdict.SENT,
        provider_id=_fit(receipt.provider_id, 255),
        kind=Kind.SUCCESS,
        exhausted_for=receipt.exhausted_for,
    )


def _refused(error: ProviderError, verdict: Verdict) -> Answer:
    return Answer(
        verdict,
        http_status=error.status,
        code=_fit(error.code, 64),
        reason=_fit(str(error), 255),
        retry_after=error.retry_after,
        kind=kind_of(error) or Kind.NEUTRAL,
    )


def _fit(text: str | None, length: int) -> str | None:
    """Make a vendor's word fit its column, whatever the vendor sent."""
    return text and text.replace("\x00", "")[:length]
