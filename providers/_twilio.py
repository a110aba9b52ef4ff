"""Twilio's client on our transport, and what Twilio's answers mean."""

from __future__ import annotations

import json
import logging
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from twilio.http import HttpClient
from twilio.http.response import Response

from notify.errors import (
    InvalidRecipient,
    ProviderError,
    Throttled,
    TransientError,
    Unauthorized,
)

from . import _verdict
from ._answer import Answer
from ._http import Transport

# https://www.twilio.com/docs/api/errors; what is not here is judged by its status.
_CODES: dict[int, type[ProviderError]] = {
    20003: Unauthorized,  # authentication failed
    20005: Unauthorized,  # the account is not active
    20404: Unauthorized,  # nothing at our account's address
    20429: Throttled,  # too many requests
    21211: InvalidRecipient,  # no valid number
    21212: Unauthorized,  # the sender is no valid number
    21214: InvalidRecipient,  # cannot be reached
    21217: InvalidRecipient,  # no valid number
    21408: InvalidRecipient,  # the number's region is not enabled
    21603: Unauthorized,  # no sender
    21606: Unauthorized,  # the sender is not ours, or cannot send SMS
    21608: Unauthorized,  # a trial account
    21610: InvalidRecipient,  # opted out
    21611: Throttled,  # the sender's queue is full
    21612: InvalidRecipient,  # no route
    21614: InvalidRecipient,  # no mobile number
    21730: TransientError,  # under maintenance
}


class Carrier(HttpClient):  # type: ignore[misc]
    """
    Carries the client's requests through our transport.

    It raises our errors itself, through the client: Twilio's own exceptions have no headers, so
    no `Retry-After`, and carry Twilio's text, which quotes the recipient.
    """

    def __init__(self, transport: Transport, clock: Callable[[], float]) -> None:
        super().__init__(logging.getLogger(__name__), is_async=False)
        self._transport = transport
        self._clock = clock

    def request(
        self,
        method: str,
        uri: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ARG002 - the transport's own
        allow_redirects: bool = False,  # noqa: ARG002
    ) -> Response:
        """Ask for the client; only what accepts a message, lists some or tells of us returns."""
        credentials = b64encode(":".join(auth or ()).encode()).decode()
        path = f"{uri}?{urlencode(params)}" if params else uri
        head = self._transport.head(
            path, {**(headers or {}), "Authorization": f"Basic {credentials}"}, method=method
        )
        if method == "GET":
            answer = self._transport.get(head)
            told = answer.json()
            good = answer.status == 200 and (_is_list(told) or _is_account(told))
        else:
            body = urlencode(data or {}, doseq=True, errors="replace").encode("ascii")
            answer = self._transport.post(head, body)
            told = answer.json()
            good = answer.status == 201 and isinstance(told.get("sid"), str)
        if good:
            # Written anew, as ASCII: the client decodes UTF-8 only, and JSON may hold more.
            return Response(answer.status, json.dumps(told), answer.headers)
        raise self._failure(answer, told)

    def _failure(self, answer: Answer, told: dict[str, Any]) -> ProviderError:
        # Twilio's older form has `code` and `message`, its newer one (RFC 9457) adds `title`.
        code = told.get("code")
        if not isinstance(code, int) or answer.status < 400:
            return _verdict.failure("twilio", answer, genuine=False, now=self._clock())
        return _verdict.failure(
            "twilio",
            answer,
            genuine=True,
            now=self._clock(),
            kind=_kind(answer.status, code),
            code=str(code),
        )


def _is_list(told: Mapping[str, Any]) -> bool:
    """Tell whether this is a page of messages in Twilio's form, and the next one is its own."""
    messages, following = told.get("messages"), told.get("next_page_uri")
    return (
        isinstance(messages, list)
        and all(isinstance(each, dict) and isinstance(each.get("sid"), str) for each in messages)
        and (following is None or (isinstance(following, str) and following.startswith("/")))
    )


def _is_account(told: Mapping[str, Any]) -> bool:
    """Tell whether this is an account in Twilio's form."""
    return isinstance(told.get("status"), str) and isinstance(told.get("sid"), str)


def _kind(status: int, code: int) -> type[ProviderError] | None:
    if status < 500 and code in _CODES:
        return _CODES[code]
    return Unauthorized if status == 403 else None
