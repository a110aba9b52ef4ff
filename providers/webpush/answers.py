"""
The push services' refusals, by cause. RFC 8030 and RFC 8292 define the statuses; the texts differ.

Sources: https://mozilla-push-service.readthedocs.io/en/latest/http.html,
https://developer.apple.com/documentation/usernotifications/sending-web-push-notifications-in-web-apps-and-browsers.
"""

from __future__ import annotations

import re

from notify.errors import (
    PermanentError,
    ProviderError,
    RecipientGone,
    TransientError,
    Unauthorized,
)
from providers._shared.answer import Answer

_WORD = re.compile(r"[A-Za-z0-9]{1,40}")

_BY_CODE: dict[str, type[ProviderError]] = {
    # Apple: our token.
    "BadJwtToken": Unauthorized,
    # Apple and Mozilla: the subscription was made with another key, or for another app.
    "VapidPkHashMismatch": TransientError,
    "109": TransientError,
}


def is_services(answer: Answer) -> bool:
    """Whether an answer is a push service's own: theirs are JSON or one line, a gateway's HTML."""
    html = "html" in answer.headers.get("Content-Type", "").lower()
    return not html and not answer.body.lstrip().startswith(b"<")


def code_of(answer: Answer) -> str | None:
    """Return the service's own code: Mozilla's `errno`, Apple's `reason`; None if it has none."""
    found = answer.json()
    for value in (found.get("errno"), found.get("reason")):
        word = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
        if _WORD.fullmatch(word):
            return word
    return None


def meaning(status: int, code: str | None) -> type[ProviderError] | None:
    """Return the error for a service's refusal; None if the status decides as usual."""
    if status < 400 or status >= 500:
        return None
    if code in _BY_CODE:
        return _BY_CODE[code]
    if status in (404, 410):
        return RecipientGone
    if status == 400:
        return PermanentError
    # 403: the subscription was made with another VAPID key: either a browser's owner registered a
    # foreign subscription with a producer's app, or our key was changed. The first one does not
    # stop all others; a share of them opens the circuit.
    return TransientError if status == 403 else None
