"""
Twilio's side of Messages.json: sending, looking up, and its refusals.

Shapes: https://www.twilio.com/docs/messaging/api/message-resource and /docs/api/errors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

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
from notify.sandbox.inbox import Inbox, Message
from notify.sandbox.twilio_list import page_of, resource

_REFUSALS = {
    Behaviour.DENIED: (401, 20003, "Authenticate"),
    Behaviour.BLOCKED: (400, 21610, "Attempt to send to unsubscribed recipient"),
    Behaviour.THROTTLED: (429, 20429, "Too Many Requests"),
    Behaviour.DOWN: (503, 20503, "Service is unavailable. Please try again."),
    Behaviour.ERROR: (500, 20500, "Internal Server Error"),
}
# Each of Twilio's test numbers has one reason why a recipient is refused.
_INVALID = (21211, "The 'To' number is not a valid phone number.")
_TEST_NUMBERS = {
    "+15005550002": (21612, "The 'To' number is not reachable from this 'From' number."),
    "+15005550003": (21408, "Permission to send to this region is not enabled."),
    "+15005550009": (21614, "The 'To' number is not a mobile number."),
}
# As senders, these have one reason why a sender cannot be used.
_TEST_SENDERS = {
    "+15005550001": (400, 21212, "The 'From' number is not a valid phone number."),
    "+15005550007": (400, 21606, "The 'From' number is not a message-capable number of yours."),
    "+15005550008": (429, 21611, "The 'From' number has too many messages queued."),
}


@dataclass(frozen=True, slots=True)
class Twilio:
    """
    Reads requests and writes answers as Twilio does.

    Args:
        clock: The time, in UTC.
        new_id: Returns a new id of 32 hexadecimal digits.
        retry_after: Seconds that a 429 asks to wait.
    """

    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    retry_after: int

    vendor: ClassVar[Vendor] = Vendor.TWILIO

    def read(self, request: HttpRequest) -> list[Message]:
        """
        Return the message of a request to send.

        Raises:
            RequestRefused: The credentials or the request are not valid.
        """
        self.check_key(request)
        form = request.form
        _check(form)
        ids = parse_qs(urlsplit(form.get("StatusCallback", "")).query)
        sid = f"SM{self.new_id()}"
        message = Message(
            id=sid,
            provider_id=sid,
            vendor=Vendor.TWILIO,
            channel=Channel.SMS,
            at=self.clock(),
            to=form["To"],
            sender=form.get("From", ""),
            text=form["Body"],
            notify_id=ids.get("notify_id", [""])[0],
            attempt_id=ids.get("attempt_id", [""])[0],
            token=request.credentials[1],
            details={
                "account": request.groups["account"],
                **{key: value for key, value in form.items() if key not in ("To", "From", "Body")},
            },
        )
        return [message]

    def answer(
        self,
        behaviour: Behaviour,
        messages: Sequence[Message],
        allowance: Allowance | None = None,
    ) -> HttpAnswer:
        """Return Twilio's answer for a behaviour; a 429 has the allowance's seconds to wait."""
        if behaviour is Behaviour.BROKEN:
            return bad_gateway()
        if behaviour is Behaviour.GARBLED:
            return not_the_vendor(201)
        if behaviour is Behaviour.INVALID:
            return _error(400, *_TEST_NUMBERS.get(messages[0].to if messages else "", _INVALID))
        if behaviour in _REFUSALS:
            status, code, text = _REFUSALS[behaviour]
            wait = allowance.wait if allowance else self.retry_after
            retry_header = {"Retry-After": str(wait)} if status == 429 else {}
            return _error(status, code, text, retry_header)
        return as_json(201, resource(messages[0], later=False))

    def look_up(self, request: HttpRequest, inbox: Inbox) -> HttpAnswer:
        """
        Return the account's messages, filtered by To, From and DateSent, or the one of a sid.

        Raises:
            RequestRefused: The credentials are not valid.
        """
        self.check_key(request)
        account = request.groups["account"]
        messages = [
            message
            for message in inbox.find(channel=Channel.SMS, to=request.arguments.get("To", ""))
            if message.details.get("account") == account
        ]
        if sid := request.groups.get("sid"):
            found = [each for each in messages if each.provider_id == sid]
            if not found:
                return _error(404, 20404, f"The requested resource {request.path} was not found")
            return as_json(200, resource(found[0], later=True))
        try:
            return as_json(200, page_of(messages, request))
        except ValueError:
            return _error(400, 20001, "A date or page parameter is not valid.")

    def account(self, request: HttpRequest) -> HttpAnswer:
        """
        Return the account.

        Raises:
            RequestRefused: The credentials are not valid.
        """
        self.check_key(request)
        sid = request.groups["account"]
        account = {"sid": sid, "status": "active", "type": "Full", "friendly_name": "Sandbox"}
        return as_json(200, account)

    def check_key(self, request: HttpRequest) -> None:
        """
        Check the Basic credentials: any are valid except none and `bad-key`.

        Raises:
            RequestRefused: They are not valid.
        """
        user, password = request.credentials
        if not user or password in ("", "bad-key"):
            raise RequestRefused(self.answer(Behaviour.DENIED, []))


def _error(status: int, code: int, text: str, headers: dict[str, str] | None = None) -> HttpAnswer:
    body = {
        "code": code,
        "message": text,
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }
    return as_json(status, body, headers)


def _check(form: dict[str, str]) -> None:
    if not form.get("To"):
        raise RequestRefused(_error(400, 21604, "A 'To' phone number is required."))
    if not (form.get("From") or form.get("MessagingServiceSid")):
        raise RequestRefused(_error(400, 21603, "A 'From' phone number is required."))
    if fault := _TEST_SENDERS.get(form.get("From", "")):
        raise RequestRefused(_error(*fault))
    if not form.get("Body"):
        raise RequestRefused(_error(400, 21602, "Message body is required."))
    if len(form["Body"]) > 1600:
        raise RequestRefused(
            _error(400, 21617, "The message body exceeds the 1600 character limit.")
        )
    digits = form["To"].removeprefix("+")
    if digits == form["To"] or not (digits.isascii() and digits.isdigit() and 7 < len(digits) < 16):
        raise RequestRefused(_error(400, *_INVALID))
