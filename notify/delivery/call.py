"""One call to a provider, and what its end means for the notification."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from notify.errors import OutcomeUnknown, PermanentError, ProviderError, TransientError
from notify.gateway import Line
from notify.message import Outcome, Rendered, Status

log = structlog.get_logger("notify.call")


@dataclass(frozen=True, slots=True)
class Answer:
    """How a call ended, and where that leaves the notification."""

    outcome: Outcome
    status: Status
    provider_id: str | None = None
    http_status: int | None = None
    code: str | None = None
    reason: str | None = None


def call(line: Line, message: Rendered) -> Answer:
    """Make the call; whatever happens, there is an answer."""
    try:
        receipt = line.send(message)
    except PermanentError as error:
        return _refused(error, Outcome.NOT_SENT, Status.REJECTED)
    except TransientError as error:
        return _refused(error, Outcome.NOT_SENT, Status.FAILED)
    except (OutcomeUnknown, ProviderError) as error:
        return _refused(error, Outcome.UNKNOWN, Status.UNKNOWN)
    except Exception as error:  # noqa: BLE001 - a fault in a provider must not stop its neighbours
        # Its text could hold anything, so only its kind is told.
        kind = type(error).__name__
        log.error("notify.provider_fault", provider=line.name, error_kind=kind)
        reason = f"a fault in the provider {line.name}: {kind}"
        return Answer(Outcome.UNKNOWN, Status.UNKNOWN, reason=reason)
    return Answer(Outcome.ACCEPTED, Status.SENT, provider_id=_fit(receipt.provider_id, 255))


def _refused(error: ProviderError, outcome: Outcome, status: Status) -> Answer:
    return Answer(
        outcome,
        status,
        http_status=error.status,
        code=_fit(error.code, 64),
        reason=_fit(str(error), 255),
    )


def _fit(text: str | None, length: int) -> str | None:
    """Make a vendor's word fit its column, whatever the vendor sent."""
    return text and text.replace("\x00", "")[:length]
