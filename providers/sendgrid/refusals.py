"""
SendGrid's refusals as errors, for one message or for each message of a request.

SendGrid has no codes: `field` names the place of the mistake, if it is a path into the request.
Source: https://www.twilio.com/docs/sendgrid/api-reference/mail-send/errors
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from notify.errors import (
    GroupRefused,
    InvalidRecipient,
    PermanentError,
    ProviderError,
    Throttled,
    Unauthorized,
)
from providers._shared import verdict
from providers._shared.answer import Answer

_FIELD = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z0-9_]+)*")
_LONGEST_FIELD = 64
_SENDER = re.compile(r"(personalizations\.(\d+\.)?)?from(\.[a-z_]+)*")
_RECIPIENT = re.compile(r"personalizations\.(\d+\.)?to\.(\d+\.)?email")
_INDEX = re.compile(r"personalizations\.(\d{1,4})(\.|\Z)")


def refusal(answer: Answer, *, now: float, own_sender: bool = False) -> ProviderError:
    """
    Return the error for an answer that does not accept the request.

    Args:
        answer: The answer.
        now: Seconds since 1970.
        own_sender: Whether the message has a From of its own.
    """
    errors = _errors(answer)
    # If several are listed, one about the sender counts first: it applies to every message.
    error = next(filter(_blames_the_sender, errors), errors[0] if errors else {})
    return _refusal(answer, error, now=now, own_sender=own_sender)


def refusals(
    answer: Answer, count: int, *, now: float, own_sender: bool, same: bool
) -> list[ProviderError]:
    """
    Return the error for each message of a request that was not accepted.

    A refusal that names personalizations is about these; the others may be sent without them.

    Args:
        answer: The answer.
        count: The number of messages.
        now: Seconds since 1970.
        own_sender: Whether the messages have a From of their own.
        same: Whether they have the same content, so that a refusal of it is about all.
    """
    whole = refusal(answer, now=now, own_sender=own_sender)
    if answer.status == 413:
        return [_apart(answer, "too_large")] * count
    errors = _errors(answer)
    if answer.status != 400 or not errors or any(map(_blames_the_sender, errors)):
        return [whole] * count
    named = {
        index: _refusal(answer, error, now=now, own_sender=own_sender)
        for error in reversed(errors)
        if (index := _index(error)) is not None and index < count
    }
    if not named and same and whole.code and not whole.code.startswith("personalizations"):
        return [whole] * count
    apart = _apart(answer, next(iter(named.values())).code if named else whole.code)
    return [named.get(index, apart) for index in range(count)]


def until_reset(answer: Answer, *, now: float) -> float | None:
    """Return the seconds until SendGrid's rate limit allows more; None if it does not say."""
    # https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/rate-limits
    reset = answer.headers.get("X-RateLimit-Reset") or ""
    if not reset.isdecimal() or len(reset) > len("1800000000"):
        return None
    return min(max(int(reset) - now, 0.0), verdict.LONGEST_WAIT)


def _refusal(
    answer: Answer, error: Mapping[str, Any], *, now: float, own_sender: bool
) -> ProviderError:
    field = error.get("field")
    code = field if isinstance(field, str) and _is_path(field) else None
    return verdict.failure(
        "sendgrid",
        answer,
        genuine="message" in error,
        now=now,
        kind=_kind(answer.status, error, code, own_sender=own_sender),
        code=code,
        pause=until_reset(answer, now=now),
    )


def _apart(answer: Answer, code: str | None) -> GroupRefused:
    text = "sendgrid refused the request, not this message; it was not sent"
    return GroupRefused(text, provider="sendgrid", status=answer.status, code=code)


def _is_path(field: str) -> bool:
    return len(field) <= _LONGEST_FIELD and _FIELD.fullmatch(field) is not None


def _errors(answer: Answer) -> list[dict[str, Any]]:
    listed = answer.json().get("errors")
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []


def _index(error: Mapping[str, Any]) -> int | None:
    """Return the index of the personalization that an error is about; None if it names none."""
    found = _INDEX.match(str(error.get("field")))
    return int(found[1]) if found else None


def _blames_the_sender(error: Mapping[str, Any]) -> bool:
    field = error.get("field")
    return isinstance(field, str) and _SENDER.fullmatch(field) is not None


def _kind(
    status: int, error: Mapping[str, Any], field: str | None, *, own_sender: bool
) -> type[ProviderError] | None:
    if own_sender and status in (400, 403) and _blames_the_sender(error):
        # The From of one category: the provider's other mail is not affected.
        return PermanentError
    if status == 400 and _blames_the_sender(error):
        # The From address is the same for every message: an operator must correct it.
        return Unauthorized
    if status == 400 and field and _RECIPIENT.fullmatch(field):
        return InvalidRecipient
    if status == 403 and "message" in error:
        # Two meanings and no code: a pause after many bad requests, or a missing sender identity or
        # permission. Only the text distinguishes them.
        return Throttled if "temporarily" in str(error["message"]).lower() else Unauthorized
    return None
