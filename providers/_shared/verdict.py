"""Turn a vendor's answer that does not accept the message into an error of `notify.errors`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

from notify.errors import (
    InvalidRecipient,
    OptedOut,
    OutcomeUnknown,
    PermanentError,
    ProviderError,
    RecipientGone,
    Throttled,
    TransientError,
    Unauthorized,
)
from providers._shared.answer import Answer

LONGEST_WAIT = 86_400.0
"""The longest `Retry-After` that is believed, in seconds."""

_CERTAIN: Mapping[int, type[ProviderError]] = {
    # "Ask elsewhere": not acted on. The base_url is wrong, the message is not. After 302 and 303
    # the request may have been acted on.
    301: TransientError,
    307: TransientError,
    308: TransientError,
    401: Unauthorized,
    # RFC 9110 section 15.5.9: the server did not receive a complete request.
    408: TransientError,
    413: PermanentError,
    421: TransientError,
    425: TransientError,
    429: Throttled,
}

_IF_GENUINE: Mapping[int, type[ProviderError]] = {
    # The account has to pay, or lacks the permission.
    402: Unauthorized,
    403: Unauthorized,
    # About the base_url or the form of all requests, not about one message. A vendor whose 404 is
    # about the recipient says so by its code.
    404: TransientError,
    405: TransientError,
    406: TransientError,
    415: TransientError,
}

_TEXTS: Mapping[type[ProviderError], str] = {
    TransientError: "did not accept the message now",
    Throttled: "asks to slow down",
    Unauthorized: "refused the key, account or sender; check them",
    PermanentError: "will never accept this message",
    OptedOut: "refused the recipient, who opted out",
    RecipientGone: "refused the recipient, who does not exist any more",
    InvalidRecipient: "refused the recipient permanently",
    OutcomeUnknown: "gave no reliable answer; the message may have been sent",
}


def failure(
    provider: str,
    answer: Answer,
    *,
    genuine: bool,
    now: float,
    kind: type[ProviderError] | None = None,
    code: str | None = None,
    pause: float | None = None,
) -> ProviderError:
    """
    Return the error for an answer.

    Args:
        provider: The provider's name.
        answer: Any answer that does not accept the message.
        genuine: Whether its body has the vendor's own error form. An answer of a proxy, a load
            balancer or a wrong address is not the vendor's decision on the message.
        now: Seconds since 1970, for a `Retry-After` that is a date.
        kind: The error, if the vendor's code is more precise than the status.
        code: The vendor's code.
        pause: Seconds to wait if the vendor throttles without a `Retry-After`.
    """
    kind = kind or _kind(answer.status, genuine=genuine)
    wait = retry_after(answer.headers.get("Retry-After"), now=now)
    if wait is None and kind is Throttled:
        wait = pause
    named = f"HTTP {answer.status}" + (f", {code}" if code else "")
    return kind(
        f"{provider} {_TEXTS[kind]} ({named})",
        provider=provider,
        status=answer.status,
        code=code,
        retry_after=wait,
    )


def _kind(status: int, *, genuine: bool) -> type[ProviderError]:
    if status in _CERTAIN:
        return _CERTAIN[status]
    if 400 <= status < 500:
        return _IF_GENUINE.get(status, PermanentError) if genuine else TransientError
    if status == 503 and genuine:
        return TransientError
    return OutcomeUnknown


def retry_after(value: str | None, *, now: float) -> float | None:
    """Return the seconds of a `Retry-After` header, a number or a date; None if it is neither."""
    if not value:
        return None
    try:
        seconds = float(int(value)) if value.isdecimal() else _date(value) - now
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), LONGEST_WAIT)


def _date(value: str) -> float:
    date = parsedate_to_datetime(value)
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
