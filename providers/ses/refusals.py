"""
Refusals of SES as errors, by the name of its exception.

Sources: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html#API_SendEmail_Errors,
https://docs.aws.amazon.com/ses/latest/APIReference-V2/CommonErrors.html and
https://docs.aws.amazon.com/ses/latest/dg/manage-sending-quotas-errors.html
"""

from __future__ import annotations

import re
from typing import Any

from notify.errors import (
    InvalidRecipient,
    OutcomeUnknown,
    PermanentError,
    ProviderError,
    Throttled,
    TransientError,
    Unauthorized,
)
from providers._shared import verdict
from providers._shared.answer import Answer

PAUSE = 2.0
"""Seconds to wait after the rate is exceeded: SES sends no Retry-After."""
QUOTA_PAUSE = 600.0
"""Seconds to wait after the quota of 24 hours is spent: it comes back little by little."""

_CODE = re.compile(r"[A-Za-z]{1,64}")
_KINDS: dict[str, type[ProviderError]] = {
    "BadRequestException": PermanentError,
    "ValidationException": PermanentError,
    "MessageRejected": PermanentError,
    "ConflictException": TransientError,
    "ConcurrentModificationException": TransientError,
    "InternalFailure": OutcomeUnknown,
    "InternalServiceErrorException": OutcomeUnknown,
    "RequestTimeoutException": TransientError,
    "ServiceUnavailable": TransientError,
    "ServiceUnavailableException": TransientError,
}
_THROTTLED = frozenset(
    {
        "LimitExceededException",
        "RequestLimitExceeded",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
    }
)
# The key, the account, the configuration set or the clock: no message passes.
_OURS = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AccountSuspendedException",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NotAuthorized",
        "NotFoundException",
        "OptInRequired",
        "RequestExpired",
        "SendingPausedException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_SENDER = "MailFromDomainNotVerifiedException"
_UNVERIFIED = re.compile("(?i)not verified")
_QUOTA = re.compile("(?i)daily message quota")
_ADDRESS = re.compile(
    r"(?i)address blacklisted|illegal address|missing final '@domain'|invalid domain name"
    r"|domain (starts|ends) with dot|domain contains"
)


def refusal(answer: Answer, *, now: float, own_sender: bool = False) -> ProviderError:
    """
    Return the error for an answer that does not accept the message.

    Args:
        answer: The answer.
        now: Seconds since 1970.
        own_sender: Whether the message has a From of its own.
    """
    body = answer.json()
    code = _code(answer, body)
    text = str(body.get("message") or body.get("Message") or "")
    return verdict.failure(
        "ses",
        answer,
        genuine=code is not None,
        now=now,
        kind=_kind(answer.status, code, text, own_sender=own_sender),
        code=code,
        pause=QUOTA_PAUSE if _QUOTA.search(text) else PAUSE,
    )


def _code(answer: Answer, body: dict[str, Any]) -> str | None:
    """Return the exception's name; None if the answer is not one of SES."""
    named = answer.headers.get("x-amzn-ErrorType") or body.get("__type") or body.get("code")
    if not isinstance(named, str):
        return None
    # As in `namespace#Name:http://...`.
    name = named.partition(":")[0].rpartition("#")[2]
    return name if _CODE.fullmatch(name) else None


def _kind(
    status: int, code: str | None, text: str, *, own_sender: bool
) -> type[ProviderError] | None:
    if code is None or not 400 <= status < 600:
        return None
    if code in _THROTTLED:
        return Throttled
    if code in _OURS:
        return Unauthorized
    if code == _SENDER or (code == "MessageRejected" and _UNVERIFIED.search(text)):
        # The From of one category: the provider's other mail is not affected.
        return PermanentError if own_sender else Unauthorized
    kind = _KINDS.get(code)
    if kind is PermanentError and _ADDRESS.search(text):
        return InvalidRecipient
    return kind
