"""Twilio's client on the providers' transport, and the errors for Twilio's answers."""

from __future__ import annotations

import json
import logging
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from twilio.http import HttpClient
from twilio.http.response import Response

from notify.errors import ProviderError
from providers._shared import verdict
from providers._shared.answer import Answer
from providers._shared.transport import Transport
from providers.twilio.codes import meaning

_CODES_END = 1_000_000
_CODE = re.compile(r"[1-9][0-9]{0,5}")


class Carrier(HttpClient):  # type: ignore[misc]
    """
    Sends the client's requests through the providers' transport.

    It raises the errors of `notify.errors` itself, through the client: Twilio's exceptions have no
    headers, so no `Retry-After`, and contain Twilio's text, which quotes the recipient.
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
        timeout: float | None = None,  # noqa: ARG002 - the transport has its own
        allow_redirects: bool = False,  # noqa: ARG002
    ) -> Response:
        """Send a request; return only an accepted message, a list of messages, or the account."""
        credentials = b64encode(":".join(auth or ()).encode()).decode()
        path = f"{uri}?{urlencode(params)}" if params else uri
        head = self._transport.head(
            path, {**(headers or {}), "Authorization": f"Basic {credentials}"}, method=method
        )
        if method == "GET":
            answer = self._transport.get(head)
            found = answer.json()
            good = answer.status == 200 and (_is_list(found) or _is_account(found))
        else:
            body = urlencode(data or {}, doseq=True, errors="replace").encode("ascii")
            answer = self._transport.post(head, body)
            found = answer.json()
            good = answer.status == 201 and isinstance(found.get("sid"), str)
        if good:
            # Rewritten as ASCII: the client decodes UTF-8 only, and JSON may contain more.
            return Response(answer.status, json.dumps(found), answer.headers)
        raise self._failure(answer, found)

    def _failure(self, answer: Answer, found: dict[str, Any]) -> ProviderError:
        # Twilio's older form has `code` and `message`, its newer one (RFC 9457) adds `title`.
        code = _code(found.get("code"))
        if code is None or answer.status < 400:
            return verdict.failure("twilio", answer, genuine=False, now=self._clock())
        return verdict.failure(
            "twilio",
            answer,
            genuine=True,
            now=self._clock(),
            kind=meaning(code) if answer.status < 500 else None,
            code=str(code),
        )


def _code(value: object) -> int | None:
    """Return Twilio's code as a number, however JSON writes it; None if it is not a code."""
    match value:
        case bool():
            return None
        case int() if 0 < value < _CODES_END:
            return value
        case float() if 0 < value < _CODES_END and value.is_integer():
            return int(value)
        case str() if _CODE.fullmatch(value):
            return int(value)
    return None


def _is_list(found: Mapping[str, Any]) -> bool:
    """Whether this is a page of messages in Twilio's form, and its next page is Twilio's own."""
    messages, following = found.get("messages"), found.get("next_page_uri")
    return (
        isinstance(messages, list)
        and all(isinstance(each, dict) and isinstance(each.get("sid"), str) for each in messages)
        and (following is None or (isinstance(following, str) and following.startswith("/")))
    )


def _is_account(found: Mapping[str, Any]) -> bool:
    """Whether this is an account in Twilio's form."""
    return isinstance(found.get("status"), str) and isinstance(found.get("sid"), str)
