"""
SendGrid's side of POST /v3/mail/send: the messages of a request, and its answers.

Shapes: https://www.twilio.com/docs/sendgrid/api-reference/mail-send (and /errors).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

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
from notify.sandbox.sendgrid_checks import Fault, faults_of, recipients_of
from notify.sandbox.sendgrid_files import faults_of_files, kept_files

_REFUSALS: dict[Behaviour, tuple[int, Fault]] = {
    Behaviour.DENIED: (
        401,
        ("The provided authorization grant is invalid, expired, or revoked", None),
    ),
    Behaviour.THROTTLED: (429, ("too many requests", None)),
    Behaviour.DOWN: (503, ("Service Unavailable", None)),
    Behaviour.ERROR: (500, ("Internal Server Error", None)),
}


@dataclass(frozen=True, slots=True)
class SendGrid:
    """
    Reads requests and writes answers as SendGrid does.

    Args:
        clock: The time, in UTC.
        new_id: Returns a new id.
        retry_after: Seconds that a 429 asks to wait.
    """

    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    retry_after: int

    vendor: ClassVar[Vendor] = Vendor.SENDGRID

    def read(self, request: HttpRequest) -> list[Message]:
        """
        Return the messages of a request to send, one for each recipient.

        Raises:
            RequestRefused: The key or the request is not valid.
        """
        self.check_key(request)
        mail = _parse(request.body)
        faults = [*faults_of(mail), *faults_of_files(mail)]
        if faults:
            raise RequestRefused(_errors(400, *faults))
        return list(self._messages(mail))

    def scopes(self, request: HttpRequest) -> HttpAnswer:
        """
        Return the permissions of a key: GET /v3/scopes.

        Raises:
            RequestRefused: The key is not valid.
        """
        self.check_key(request)
        return as_json(200, {"scopes": ["mail.send", "sender_verification_eligible"]})

    def check_key(self, request: HttpRequest) -> None:
        """Raise `RequestRefused` if a request has no key, or the one that is always refused."""
        if request.bearer in ("", "bad-key"):
            raise RequestRefused(self.answer(Behaviour.DENIED, []))

    def answer(
        self,
        behaviour: Behaviour,
        messages: Sequence[Message],
        allowance: Allowance | None = None,
    ) -> HttpAnswer:
        """Return SendGrid's answer for a behaviour, with what is left of the allowance."""
        if behaviour is Behaviour.BROKEN:
            return bad_gateway()
        if behaviour is Behaviour.GARBLED:
            return not_the_vendor(202)
        if behaviour is Behaviour.INVALID:
            return _errors(400, *_invalid_recipients(messages))
        if behaviour in _REFUSALS:
            status, fault = _REFUSALS[behaviour]
            refusal = _errors(status, fault)
            return self._with_limits(refusal, allowance) if status == 429 else refusal
        # An opted-out recipient is accepted like any other; the message is dropped later.
        limits = _limits(allowance) if allowance else {}
        return HttpAnswer(202, headers={"X-Message-Id": messages[0].provider_id, **limits})

    def _with_limits(self, answer: HttpAnswer, allowance: Allowance | None) -> HttpAnswer:
        state = allowance or Allowance(
            granted=False,
            limit=600,
            remaining=0,
            reset=int(self.clock().timestamp()) + self.retry_after,
            wait=self.retry_after,
        )
        limits = {"Retry-After": str(state.wait), **_limits(state)}
        return HttpAnswer(answer.status, answer.body, {**answer.headers, **limits})

    def _messages(self, mail: dict[str, Any]) -> Iterator[Message]:
        provider_id, now = self.new_id(), self.clock()
        files = kept_files(mail)
        parts = {part["type"]: part["value"] for part in mail.get("content", [])}
        position = 0
        for index, personalization in enumerate(mail["personalizations"]):
            subject = personalization.get("subject") or mail.get("subject", "")
            substitute = _substitution(personalization.get("substitutions", {}))
            arguments = {**mail.get("custom_args", {}), **personalization.get("custom_args", {})}
            for number, recipient in enumerate(recipients_of(personalization)):
                yield Message(
                    id=f"{provider_id}.{position}" if position else provider_id,
                    provider_id=provider_id,
                    vendor=Vendor.SENDGRID,
                    channel=Channel.EMAIL,
                    at=now,
                    to=recipient["email"],
                    sender=mail["from"]["email"],
                    subject=substitute(subject),
                    text=substitute(parts.get("text/plain", "")),
                    html=substitute(parts.get("text/html", "")),
                    place=f"personalizations.{index}.to.{number}.email",
                    notify_id=str(arguments.get("notify_id", "")),
                    attempt_id=str(arguments.get("attempt_id", "")),
                    details=_details(mail, personalization, arguments, files),
                )
                position += 1


def _invalid_recipients(messages: Sequence[Message]) -> Iterator[Fault]:
    invalid = [each.place for each in messages if each.behaviour is Behaviour.INVALID]
    for place in invalid or ["personalizations.0.to.0.email"]:
        yield "Does not contain a valid address.", place


def _substitution(values: dict[str, str]) -> Callable[[str], str]:
    """Return a function that replaces tags in a text; tags in their values are left as they are."""
    if not values:
        return str
    tags = re.compile("|".join(re.escape(tag) for tag in sorted(values, key=len, reverse=True)))
    return lambda text: tags.sub(lambda found: values[found[0]], text)


def _limits(allowance: Allowance) -> dict[str, str]:
    return {
        "X-RateLimit-Limit": str(allowance.limit),
        "X-RateLimit-Remaining": str(allowance.remaining),
        "X-RateLimit-Reset": str(allowance.reset),
    }


def _parse(body: bytes) -> dict[str, Any]:
    try:
        mail = json.loads(body)
    except (ValueError, RecursionError):
        mail = None
    if not isinstance(mail, dict):
        raise RequestRefused(_errors(400, ("Bad Request", None)))
    return mail


def _errors(status: int, *faults: Fault) -> HttpAnswer:
    errors = [{"message": text, "field": field, "help": None} for text, field in faults]
    return as_json(status, {"errors": errors})


def _details(
    mail: dict[str, Any],
    personalization: dict[str, Any],
    arguments: dict[str, Any],
    files: list[dict[str, Any]],
) -> dict[str, Any]:
    kept = ("template_id", "categories", "reply_to", "send_at", "asm")
    headers = {**mail.get("headers", {}), **personalization.get("headers", {})}
    return {
        "custom_args": arguments,
        **({"headers": headers} if headers else {}),
        **({"attachments": files} if files else {}),
        **{key: mail[key] for key in kept if key in mail},
    }
