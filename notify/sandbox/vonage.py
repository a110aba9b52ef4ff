"""
Vonage's side of the SMS API: sending, and the account's balance.

Shapes: https://developer.vonage.com/api/sms and https://developer.vonage.com/api-errors/sms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar

from notify.message import Channel
from notify.sandbox.allowance import Allowance
from notify.sandbox.behaviour import Behaviour, Vendor
from notify.sandbox.exchange import (
    HttpAnswer,
    HttpRequest,
    RequestRefused,
    as_json,
    bad_gateway,
    not_the_vendor,
)
from notify.sandbox.inbox import Message
from notify.segments import segments

_STATUSES = {
    Behaviour.DENIED: (4, "Bad Credentials"),
    Behaviour.INVALID: (6, "Unroutable message - rejected"),
    Behaviour.THROTTLED: (1, "Throughput Rate Exceeded - please wait and retry"),
    Behaviour.ERROR: (5, "Internal Error"),
}


@dataclass(frozen=True, slots=True)
class Vonage:
    """
    Reads requests and writes answers as Vonage does.

    Args:
        clock: The time, in UTC.
        new_id: Returns a new id.
    """

    clock: Callable[[], datetime]
    new_id: Callable[[], str]

    vendor: ClassVar[Vendor] = Vendor.VONAGE

    def read(self, request: HttpRequest) -> list[Message]:
        """
        Return the message of a request to send.

        Raises:
            RequestRefused: The credentials or the request are not valid.
        """
        key = self.check_key(request)
        form = request.form
        missing = next((name for name in ("from", "to", "text") if not form.get(name)), None)
        if missing is not None:
            raise RequestRefused(_refused(2, f"Missing {missing} param"))
        if not (form["to"].isascii() and form["to"].isdigit() and 7 <= len(form["to"]) <= 15):
            raise RequestRefused(_refused(3, "to address is not numeric"))
        notify_id, _, attempt_id = form.get("client-ref", "").partition("/")
        identity = self.new_id().upper()[:16]
        message = Message(
            id=identity,
            provider_id=identity,
            vendor=Vendor.VONAGE,
            channel=Channel.SMS,
            at=self.clock(),
            to=f"+{form['to']}",
            sender=form["from"],
            text=form["text"],
            notify_id=notify_id,
            attempt_id=attempt_id,
            token=request.credentials[1],
            details={
                "account": key,
                **{name: form[name] for name in form if name not in ("from", "to", "text")},
            },
        )
        return [message]

    def answer(
        self,
        behaviour: Behaviour,
        messages: Sequence[Message],
        allowance: Allowance | None = None,  # noqa: ARG002 - Vonage says no seconds
    ) -> HttpAnswer:
        """Return Vonage's answer for a behaviour: HTTP 200, and a status for each part."""
        if behaviour is Behaviour.BROKEN:
            return bad_gateway()
        if behaviour is Behaviour.GARBLED:
            return not_the_vendor(200)
        if behaviour is Behaviour.DOWN:
            return as_json(503, {"error-code": "503", "error-code-label": "Service unavailable"})
        if behaviour in _STATUSES:
            return _refused(*_STATUSES[behaviour])
        return as_json(200, _accepted(messages[0]))

    def balance(self, request: HttpRequest) -> HttpAnswer:
        """
        Return the account's balance.

        Raises:
            RequestRefused: The credentials are not valid.
        """
        try:
            self.check_key(request)
        except RequestRefused:
            body = {"error-code": "401", "error-code-label": "authentication failed"}
            raise RequestRefused(as_json(401, body)) from None
        return as_json(200, {"value": 10.28, "autoReload": False})

    def check_key(self, request: HttpRequest) -> str:
        """
        Return the key of the Basic credentials: any are valid except none and `bad-key`.

        Raises:
            RequestRefused: They are not valid.
        """
        key, secret = request.credentials
        if not key or secret in ("", "bad-key"):
            raise RequestRefused(self.answer(Behaviour.DENIED, []))
        return key


def receipt_of(message: Message, *, status: str, code: str, at: datetime) -> dict[str, str]:
    """Return the parameters of a delivery receipt, without its signature."""
    return {
        "api-key": str(message.details.get("account", "")),
        "client-ref": f"{message.notify_id}/{message.attempt_id}",
        "err-code": code,
        "message-timestamp": at.strftime("%Y-%m-%d %H:%M:%S"),
        "messageId": message.provider_id,
        "msisdn": message.to.removeprefix("+"),
        "network-code": "00101",
        "price": "0.03330000",
        "scts": at.strftime("%y%m%d%H%M"),
        "status": status,
        "to": message.sender,
    }


def reply_of(message: Message, *, text: str, identity: str, at: datetime) -> dict[str, str]:
    """Return the parameters of an SMS that the recipient sends back, without its signature."""
    return {
        "api-key": str(message.details.get("account", "")),
        "keyword": text,
        "message-timestamp": at.strftime("%Y-%m-%d %H:%M:%S"),
        "messageId": identity.upper()[:16],
        "msisdn": message.to.removeprefix("+"),
        "text": text,
        "to": message.sender,
        "type": "text",
    }


def _accepted(message: Message) -> dict[str, object]:
    parts = [
        {
            "to": message.to.removeprefix("+"),
            "message-id": message.provider_id if number == 0 else f"{message.provider_id}{number}",
            "status": "0",
            "remaining-balance": "10.28000000",
            "message-price": "0.03330000",
            "network": "00101",
        }
        for number in range(segments(message.text))
    ]
    return {"message-count": str(len(parts)), "messages": parts}


def _refused(status: int, text: str) -> HttpAnswer:
    body = {"message-count": "1", "messages": [{"status": str(status), "error-text": text}]}
    return replace(as_json(200, body), refused=True)
