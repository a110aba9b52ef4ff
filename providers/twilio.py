"""Twilio: SMS through the Messages API."""

from __future__ import annotations

import logging
import time
from base64 import b64encode
from collections.abc import Callable
from typing import Any, ClassVar
from urllib.parse import urlencode, urlsplit, urlunsplit

from twilio.base import values
from twilio.http import HttpClient
from twilio.http.response import Response
from twilio.rest import Client

from notify.errors import (
    ConfigError,
    InvalidRecipient,
    ProviderError,
    Throttled,
    TransientError,
    Unauthorized,
)
from notify.message import Channel, Receipt, Rendered

from . import _verdict
from ._http import Answer, Transport

LONGEST_VALIDITY = 36_000
"""Seconds: the most that Twilio's ValidityPeriod may say."""

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


class Twilio:
    """
    Sends SMS through Twilio.

    Args:
        account_sid: The account, `AC...`.
        auth_token: The account's auth token; with `api_key_sid`, that key's secret.
        api_key_sid: An API key, `SK...`, to use instead of the account's own token.
        sender: The number, short code or name to send from.
        messaging_service_sid: A messaging service, `MG...`, instead of a sender.
        status_callback: Where Twilio reports what became of a message.
        base_url: Where the API lives.
        timeout: Seconds for a call.
        connect_timeout: Seconds for a connection.
        pool: How many idle connections are kept.
        clock: Seconds since 1970.

    Raises:
        ConfigError: Not exactly one sender is named, or an address or key cannot be used.
    """

    channel: ClassVar[Channel] = Channel.SMS

    def __init__(
        self,
        *,
        account_sid: str,
        auth_token: str,
        api_key_sid: str | None = None,
        sender: str | None = None,
        messaging_service_sid: str | None = None,
        status_callback: str | None = None,
        base_url: str = "https://api.twilio.com",
        timeout: float = 10.0,
        connect_timeout: float = 3.0,
        pool: int = 64,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if bool(sender) == bool(messaging_service_sid):
            raise ConfigError("twilio: name either a sender or a messaging_service_sid")
        if not account_sid.isalnum() or not account_sid.isascii() or not auth_token:
            raise ConfigError("twilio: account_sid or auth_token is missing or malformed")
        self._sender = {
            "from_": sender or values.unset,
            "messaging_service_sid": messaging_service_sid or values.unset,
        }
        self._callback = _Callback(status_callback) if status_callback else None
        self._clock = clock
        self._transport = Transport(
            "twilio", base_url, timeout=timeout, connect_timeout=connect_timeout, pool=pool
        )
        client = Client(
            api_key_sid or account_sid,
            auth_token,
            account_sid,
            http_client=_Carrier(self._transport, clock),
            # Not the process's own: TWILIO_EDGE and TWILIO_REGION would change the host.
            environment={"TWILIO_REGION": ""},
        )
        client.api.base_url = ""  # the transport knows the host
        self._messages = client.messages

    def send(self, message: Rendered, /) -> Receipt:
        """Hand one SMS to Twilio; the receipt's id is the message's sid."""
        callback = self._callback.url(message) if self._callback else values.unset
        created = self._messages.create(
            to=message.to,
            body=message.text,
            status_callback=callback,
            validity_period=self._validity(message),
            **self._sender,
        )
        return Receipt(created.sid)

    def close(self) -> None:
        """Close the idle connections."""
        self._transport.close()

    def _validity(self, message: Rendered) -> Any:
        if message.expires_at is None:
            return values.unset
        seconds = int(message.expires_at.timestamp() - self._clock())
        return min(max(seconds, 1), LONGEST_VALIDITY)


class _Callback:
    """The status callback's address, with our ids in its query."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ConfigError("twilio: status_callback must be an http or https address")
        query = f"{parts.query}&" if parts.query else ""
        # By default Twilio tries again only where it could not connect; see
        # https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides
        self._after = f"#{parts.fragment or 'rc=3&rp=all'}"
        self._before = urlunsplit(parts._replace(query="", fragment="")) + f"?{query}"

    def url(self, message: Rendered) -> str:
        ids = f"notify_id={message.notification_id}&attempt_id={message.attempt_id}"
        return f"{self._before}{ids}{self._after}"


class _Carrier(HttpClient):  # type: ignore[misc]
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
        method: str,  # noqa: ARG002 - the client's signature; we only create
        uri: str,
        params: dict[str, object] | None = None,  # noqa: ARG002
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ARG002
        allow_redirects: bool = False,  # noqa: ARG002
    ) -> Response:
        """POST for the client; only an answer that accepts a message returns."""
        credentials = b64encode(":".join(auth or ()).encode()).decode()
        head = self._transport.head(
            uri, {**(headers or {}), "Authorization": f"Basic {credentials}"}
        )
        body = urlencode(data or {}, doseq=True, errors="replace").encode("ascii")
        answer = self._transport.post(head, body)
        told = answer.json()
        if answer.status == 201 and isinstance(told.get("sid"), str):
            return Response(answer.status, answer.body.decode(), answer.headers)
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


def _kind(status: int, code: int) -> type[ProviderError] | None:
    if status < 500 and code in _CODES:
        return _CODES[code]
    return Unauthorized if status == 403 else None
